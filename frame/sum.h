/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The Internet checksum's sum (RFC 1071): of bytes, or of bytes while they are copied.
 *
 * Sums are folded to 16 bits, in the byte order of the frame. They are sums of bytes that begin at an
 * even offset; sum_from_odd() adapts them to an odd one.
 *
 * There are several ways to add up the same numbers: in plain C, and by vector instructions where
 * they may be used (base/simd.h). sum_choose() takes the widest, once, after EAL's start and before
 * there are workers; without it the way is plain C. After that nothing changes, and any thread may
 * call the rest.
 */
#ifndef SUM_H
#define SUM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>

/* Up to this length a loop that is inlined is faster than a call of vector code. */
#define SUM_INLINE 64

enum sum_way {
	SUM_PLAIN,
	SUM_AVX2,
	SUM_AVX512,
	SUM_WAYS,
};

/* Most bytes that can be added up, as vectors hold signed sums of 32 bits: twice the longest frame. */
#define SUM_MAX ((128u << 10) - 64)

/* Both functions return the sum of at most SUM_MAX bytes, not folded. */
struct sum_ops {
	uint64_t (*bytes)(const uint8_t *p, uint32_t len);
	uint64_t (*copy)(uint8_t *to, const uint8_t *from, uint32_t len);
};

/* The way that was chosen. */
extern struct sum_ops sum_ops;

/* Takes the widest way. */
void sum_choose(void);

/* Takes this way. Returns false if the CPU or EAL does not allow it. Tests run all ways. */
bool sum_use(enum sum_way way);

static inline uint16_t
sum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (sum & UINT16_MAX) + (sum >> 16);
}

/* Adds a sum, or a number, to a sum. */
static inline uint16_t
sum_add(uint16_t sum, uint16_t more)
{
	uint32_t s = (uint32_t)sum + more;

	return s + (s >> 16);
}

/* Returns the sum of the same bytes if they begin at an odd offset (`odd`), or the sum itself. */
static inline uint16_t
sum_from_odd(uint16_t sum, bool odd)
{
	return odd ? rte_bswap16(sum) : sum;
}

/* Adds up to 7 bytes to a sum, and copies them, if `to` is not NULL. */
static __rte_always_inline uint64_t
sum_rest(uint64_t sum, uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint32_t four;
	uint16_t two, one = 0;

	if (len & 4) {
		memcpy(&four, from, 4);
		if (to != NULL)
			memcpy(to, &four, 4);
		sum += four;
	}
	if (len & 2) {
		memcpy(&two, from + (len & 4), 2);
		if (to != NULL)
			memcpy(to + (len & 4), &two, 2);
		sum += two;
	}
	if (len & 1) {
		memcpy(&one, from + (len & 6), 1);
		if (to != NULL)
			memcpy(to + (len & 6), &one, 1);
		sum += one;
	}
	return sum;
}

/* Adds words of 8 bytes, and what is left after them, to a sum; copies them if `to` is not NULL. */
static __rte_always_inline uint64_t
sum_words(uint64_t sum, uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), from += sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		if (to != NULL) {
			memcpy(to, &word, sizeof(word));
			to += sizeof(word);
		}
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	return sum_rest(sum, to, from, len);
}

static inline uint16_t
sum_bytes(const uint8_t *p, uint32_t len)
{
	return sum_fold(likely(len <= SUM_INLINE) ? sum_words(0, NULL, p, len)
						  : sum_ops.bytes(p, len));
}

/* Copies bytes and returns their sum. If the bytes change meanwhile, only the sum is wrong. */
static inline uint16_t
sum_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	return sum_fold(len <= SUM_INLINE ? sum_words(0, to, from, len)
					  : sum_ops.copy(to, from, len));
}

#endif /* SUM_H */
