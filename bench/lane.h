/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A ring as the load generator works it. Slot i always holds buffer i, and the generator takes for
 * granted that the device gives buffers back in the order in which they were posted, as all
 * switches measured here do. Exceptions are counted in `bad`, or found once the measurement is
 * over (gen_bad_used).
 *
 * tests/driver (vring.h) lays the ring out. The code that works it is here, because it is measured
 * together with the switch: the calls there, which keep a free list and check what comes back,
 * would cost more than the switch does.
 *
 * Three kinds:
 *
 *	FIXED	a split ring, written once before the measurement. The driver's whole work is to see
 *		the used index move and to move the avail index after it. No driver can do less.
 *	SPLIT	a split ring in which, as in real drivers, each buffer costs its 16 bytes of
 *		descriptor, an avail entry, and a look at the used entry.
 *	PACKED	a packed ring: each buffer costs its 16 bytes of descriptor, and a look at them.
 *
 * The last two do the same work, and so are what to compare the two formats with.
 *
 * Indices run freely, modulo 2^16. A lane belongs to the one thread of the generator.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../tests/driver/vring.h"

enum lane_kind { LANE_FIXED, LANE_SPLIT, LANE_PACKED };

/* Half a descriptor. It may alias the struct as which other code sees this memory. */
typedef uint64_t __attribute__((may_alias)) lane_half;

struct lane {
	lane_half *desc;        /* two halves each, in either format */
	struct vr_used *used;   /* split */
	struct vr_avail *avail; /* split */
	uint64_t gpa;           /* of the first buffer */
	uint32_t stride;        /* from one buffer to the next */
	uint32_t len;           /* of a posted buffer */
	uint16_t mask;          /* ring size - 1 */
	uint16_t buf_mask;      /* number of buffers - 1: slots may share them */
	uint16_t seen;          /* next to come back */
	uint16_t posted;        /* next to be posted */
	uint8_t kind;
	bool write;     /* the device writes into the buffers */
	bool on;        /* takes part in the measurement, as a sender or a receiver */
	uint64_t count; /* buffers that came back so far */
	uint64_t bad;   /* buffers that came back out of order; not counted for FIXED */

	uint8_t *buf;
	struct vr_ring *vr;
} __attribute__((aligned(128)));

/* Flags of a packed descriptor, as seen in the upper half. */
#define LANE_FLAG_SHIFT 48
#define LANE_AVAIL (1ull << (7 + LANE_FLAG_SHIFT))
#define LANE_USED (1ull << (15 + LANE_FLAG_SHIFT))
#define LANE_OWNER (LANE_AVAIL | LANE_USED)

static inline uint16_t
lane_size(const struct lane *l)
{
	return (uint16_t)(l->mask + 1);
}

static inline uint8_t *
lane_buf(const struct lane *l, uint16_t i)
{
	return l->buf + (size_t)(i & l->buf_mask) * l->stride;
}

static inline uint16_t
lane_in_flight(const struct lane *l)
{
	return (uint16_t)(l->posted - l->seen);
}

/* Writes the 16 bytes of slot i. In a packed ring the device sees them with the second store. */
static inline void
lane_write(struct lane *l, uint16_t i, const enum lane_kind kind)
{
	uint16_t slot = i & l->mask;
	uint64_t flags = l->write ? VR_DESC_WRITE : 0, rest = l->len;

	if (kind == LANE_PACKED) {
		/* On even laps AVAIL is set and USED is not, on odd ones the other way round. */
		rest |= (uint64_t)slot << 32 | flags << LANE_FLAG_SHIFT;
		rest |= (i & lane_size(l)) != 0 ? LANE_USED : LANE_AVAIL;
	} else {
		rest |= flags << 32;
	}
	l->desc[2 * slot] = l->gpa + (uint64_t)(i & l->buf_mask) * l->stride;
	__atomic_store_n(&l->desc[2 * slot + 1], rest, __ATOMIC_RELEASE);
}

/* Posts n more buffers, for which there must be room. The device sees all of them at once. */
static inline void
lane_post(struct lane *l, unsigned n, const enum lane_kind kind)
{
	uint16_t i, end = (uint16_t)(l->posted + n);

	if (n == 0)
		return;
	if (kind == LANE_SPLIT)
		for (i = l->posted; i != end; i++) {
			lane_write(l, i, kind);
			l->avail->ring[i & l->mask] = i & l->mask;
		}
	if (kind == LANE_PACKED) {
		/* The first one is written last: until then the device does not fetch the cache lines. */
		for (i = (uint16_t)(l->posted + 1); i != end; i++)
			lane_write(l, i, kind);
		lane_write(l, l->posted, kind);
	} else {
		__atomic_store_n(&l->avail->idx, end, __ATOMIC_RELEASE);
	}
	l->posted = end;
}

/* Returns the end of what came back, or of the first `most` of it. */
static inline uint16_t
lane_end(struct lane *l, const enum lane_kind kind, unsigned most)
{
	uint16_t i, end;
	uint64_t rest;

	if (kind != LANE_PACKED) {
		end = __atomic_load_n(&l->used->idx, __ATOMIC_ACQUIRE);
		if ((uint16_t)(end - l->seen) > most)
			end = (uint16_t)(l->seen + most);
		for (i = l->seen; kind == LANE_SPLIT && i != end; i++)
			l->bad += l->used->ring[i & l->mask].id != (i & l->mask);
		return end;
	}
	end = (uint16_t)(l->seen + (lane_in_flight(l) < most ? lane_in_flight(l) : most));
	for (i = l->seen; i != end; i++) {
		rest = __atomic_load_n(&l->desc[2 * (i & l->mask) + 1], __ATOMIC_ACQUIRE);
		if ((rest & LANE_OWNER) != ((i & lane_size(l)) != 0 ? 0 : LANE_OWNER))
			break;
		l->bad += (uint16_t)(rest >> 32) != (i & l->mask);
	}
	return i;
}

/* Returns how many came back since the last look, but no more than `most`: the next look finds the others. */
static inline unsigned
lane_poll(struct lane *l, const enum lane_kind kind, unsigned most)
{
	uint16_t end = lane_end(l, kind, most), n = (uint16_t)(end - l->seen);

	/* Most looks find nothing: they store nothing. */
	if (n != 0) {
		l->seen = end;
		l->count += n;
	}
	return n;
}

#define LANE_LINE 64
#define LANE_AHEAD 4 /* frames whose lines are on their way while one is read */

/* Starts to get `len` bytes of a buffer. */
static inline void
lane_prefetch(const struct lane *l, uint16_t i, unsigned len)
{
	const uint8_t *p = lane_buf(l, i);

	for (unsigned at = 0; at < len; at += LANE_LINE)
		__builtin_prefetch(p + at);
}

/*
 * Reads all `len` bytes of each of the n buffers that came back last, as a receiver of them would.
 * Returns a sum that depends on every byte, so that the compiler can leave none out.
 */
static inline uint64_t
lane_read(const struct lane *l, unsigned n, unsigned len)
{
	uint64_t sum = 0, word;

	for (uint16_t i = (uint16_t)(l->seen - n); i != l->seen; i++) {
		const uint8_t *p = lane_buf(l, i);
		unsigned at;

		if ((uint16_t)(l->seen - i) > LANE_AHEAD)
			lane_prefetch(l, (uint16_t)(i + LANE_AHEAD), len);
		for (at = 0; at + sizeof(word) <= len; at += sizeof(word)) {
			memcpy(&word, p + at, sizeof(word));
			sum += word;
		}
		for (; at < len; at++)
			sum += p[at];
	}
	return sum;
}

/* lane_poll() and lane_post() for code that is not measured. */
static inline unsigned
lane_poll_any(struct lane *l)
{
	return l->kind == LANE_FIXED            ? lane_poll(l, LANE_FIXED, UINT16_MAX)
			: l->kind == LANE_SPLIT ? lane_poll(l, LANE_SPLIT, UINT16_MAX)
						: lane_poll(l, LANE_PACKED, UINT16_MAX);
}

static inline void
lane_post_any(struct lane *l, unsigned n)
{
	if (l->kind == LANE_FIXED)
		lane_post(l, n, LANE_FIXED);
	else if (l->kind == LANE_SPLIT)
		lane_post(l, n, LANE_SPLIT);
	else
		lane_post(l, n, LANE_PACKED);
}

#endif
