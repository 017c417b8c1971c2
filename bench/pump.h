/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A pump is a ring as the load generator works it. Slot i always holds buffer i, and the generator
 * takes for granted that the device gives buffers back in the order in which they were posted, as
 * all switches measured here do. Exceptions are counted in `bad`, or found once the measurement is
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
 * Indices run freely, modulo 2^16. A pump belongs to the one thread of the generator.
 */
#ifndef BENCH_PUMP_H
#define BENCH_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../tests/driver/vring.h"

enum pump_kind { PUMP_FIXED, PUMP_SPLIT, PUMP_PACKED };

/* Half a descriptor. It may alias the struct as which other code sees this memory. */
typedef uint64_t __attribute__((may_alias)) pump_half;

struct pump {
	pump_half *desc;        /* two halves each, in either format */
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
#define PUMP_FLAG_SHIFT 48
#define PUMP_AVAIL (1ull << (7 + PUMP_FLAG_SHIFT))
#define PUMP_USED (1ull << (15 + PUMP_FLAG_SHIFT))
#define PUMP_OWNER (PUMP_AVAIL | PUMP_USED)

static inline uint16_t
pump_size(const struct pump *p)
{
	return (uint16_t)(p->mask + 1);
}

static inline uint8_t *
pump_buf(const struct pump *p, uint16_t i)
{
	return p->buf + (size_t)(i & p->buf_mask) * p->stride;
}

static inline uint16_t
pump_in_flight(const struct pump *p)
{
	return (uint16_t)(p->posted - p->seen);
}

/* Writes the 16 bytes of slot i. In a packed ring the device sees them with the second store. */
static inline void
pump_write(struct pump *p, uint16_t i, const enum pump_kind kind)
{
	uint16_t slot = i & p->mask;
	uint64_t flags = p->write ? VR_DESC_WRITE : 0, rest = p->len;

	if (kind == PUMP_PACKED) {
		/* AVAIL is set and USED is not while the wrap counter is 1; the other way round while it is 0. */
		rest |= (uint64_t)slot << 32 | flags << PUMP_FLAG_SHIFT;
		rest |= (i & pump_size(p)) != 0 ? PUMP_USED : PUMP_AVAIL;
	} else {
		rest |= flags << 32;
	}
	p->desc[2 * slot] = p->gpa + (uint64_t)(i & p->buf_mask) * p->stride;
	__atomic_store_n(&p->desc[2 * slot + 1], rest, __ATOMIC_RELEASE);
}

/* Posts n more buffers, for which there must be room. The device sees all of them at once. */
static inline void
pump_post(struct pump *p, unsigned n, const enum pump_kind kind)
{
	uint16_t i, end = (uint16_t)(p->posted + n);

	if (n == 0)
		return;
	if (kind == PUMP_SPLIT)
		for (i = p->posted; i != end; i++) {
			pump_write(p, i, kind);
			p->avail->ring[i & p->mask] = i & p->mask;
		}
	if (kind == PUMP_PACKED) {
		/* The first one is written last: until then the device does not fetch the cache lines. */
		for (i = (uint16_t)(p->posted + 1); i != end; i++)
			pump_write(p, i, kind);
		pump_write(p, p->posted, kind);
	} else {
		__atomic_store_n(&p->avail->idx, end, __ATOMIC_RELEASE);
	}
	p->posted = end;
}

/* Returns the end of what came back, or of the first `most` of it. */
static inline uint16_t
pump_end(struct pump *p, const enum pump_kind kind, unsigned most)
{
	uint16_t i, end;
	uint64_t rest;

	if (kind != PUMP_PACKED) {
		end = __atomic_load_n(&p->used->idx, __ATOMIC_ACQUIRE);
		if ((uint16_t)(end - p->seen) > most)
			end = (uint16_t)(p->seen + most);
		for (i = p->seen; kind == PUMP_SPLIT && i != end; i++)
			p->bad += p->used->ring[i & p->mask].id != (i & p->mask);
		return end;
	}
	end = (uint16_t)(p->seen + (pump_in_flight(p) < most ? pump_in_flight(p) : most));
	for (i = p->seen; i != end; i++) {
		rest = __atomic_load_n(&p->desc[2 * (i & p->mask) + 1], __ATOMIC_ACQUIRE);
		if ((rest & PUMP_OWNER) != ((i & pump_size(p)) != 0 ? 0 : PUMP_OWNER))
			break;
		p->bad += (uint16_t)(rest >> 32) != (i & p->mask);
	}
	return i;
}

/* Returns how many came back since the last look, but no more than `most`: the next look finds the others. */
static inline unsigned
pump_poll(struct pump *p, const enum pump_kind kind, unsigned most)
{
	uint16_t end = pump_end(p, kind, most), n = (uint16_t)(end - p->seen);

	/* Most looks find nothing: they store nothing. */
	if (n != 0) {
		p->seen = end;
		p->count += n;
	}
	return n;
}

#define PUMP_LINE 64
#define PUMP_AHEAD 4 /* frames whose lines are on their way while one is read */

/* Starts to get `len` bytes of a buffer. */
static inline void
pump_prefetch(const struct pump *p, uint16_t i, unsigned len)
{
	const uint8_t *buf = pump_buf(p, i);

	for (unsigned at = 0; at < len; at += PUMP_LINE)
		__builtin_prefetch(buf + at);
}

/*
 * Reads all `len` bytes of each of the n buffers that came back last, as a receiver of them would.
 * Returns a sum that depends on every byte, so that the compiler can leave none out.
 */
static inline uint64_t
pump_read(const struct pump *p, unsigned n, unsigned len)
{
	uint64_t sum = 0, word;

	for (uint16_t i = (uint16_t)(p->seen - n); i != p->seen; i++) {
		const uint8_t *buf = pump_buf(p, i);
		unsigned at;

		if ((uint16_t)(p->seen - i) > PUMP_AHEAD)
			pump_prefetch(p, (uint16_t)(i + PUMP_AHEAD), len);
		for (at = 0; at + sizeof(word) <= len; at += sizeof(word)) {
			memcpy(&word, buf + at, sizeof(word));
			sum += word;
		}
		for (; at < len; at++)
			sum += buf[at];
	}
	return sum;
}

/* pump_poll() and pump_post() for code that is not measured. */
static inline unsigned
pump_poll_any(struct pump *p)
{
	return p->kind == PUMP_FIXED            ? pump_poll(p, PUMP_FIXED, UINT16_MAX)
			: p->kind == PUMP_SPLIT ? pump_poll(p, PUMP_SPLIT, UINT16_MAX)
						: pump_poll(p, PUMP_PACKED, UINT16_MAX);
}

static inline void
pump_post_any(struct pump *p, unsigned n)
{
	if (p->kind == PUMP_FIXED)
		pump_post(p, n, PUMP_FIXED);
	else if (p->kind == PUMP_SPLIT)
		pump_post(p, n, PUMP_SPLIT);
	else
		pump_post(p, n, PUMP_PACKED);
}

#endif
