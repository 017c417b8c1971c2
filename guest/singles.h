/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Singles: chains of one descriptor, as most are. A burst of them is read at once by a straight
 * loop, and what is found goes into arrays. The loop ends at the first chain of any other shape,
 * which ring_single() or ring_walk() handles.
 *
 * Where AVX2 may be used, singles_avx2.c reads four descriptors at a time. It leaves to the code
 * here what it can't handle: the last few, a ring's end, and buffers outside of the largest region.
 *
 * Called by the thread that owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_SINGLES_H
#define GUEST_SINGLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simd.h"
#include "frame/frame.h"
#include "guest/packed.h"
#include "guest/split.h"

/*
 * Chains whose descriptors are on their way while one is read. A driver that has written them did so on another
 * CPU, whose cache they come from, and this CPU's own prefetcher does not help. With frames of 64 bytes and
 * guests that poll, packed rings were 1.32 times as fast with 32 ahead as with none, 1.40 times with 64; split
 * rings 1.15 times. For a guest that never writes a descriptor again split rings are slower by 3 %.
 */
#define SINGLES_AHEAD 64

/* Descriptors in a cache line: one prefetch for all of them. */
#define SINGLES_LINE 4

/* The conditions that each chain of a burst must meet. */
struct singles {
	uint16_t flags; /* exactly these: 0, or VRING_DESC_F_WRITE */
	uint32_t skip;  /* bytes at the front of each buffer that are left out; at most `least` */
	uint32_t least; /* bytes of the smallest buffer that will do */
	uint32_t most;  /* bytes of the largest buffer that will do */
};

/* Finds a buffer that may be in any region. Returns false unless all of it is in one. */
static __rte_always_inline bool
singles_find(const struct guest_mem *mem, const struct singles *s, uint64_t gpa, uint32_t len,
		struct fragment *to)
{
	uint8_t *p;

	if (unlikely(len - s->least > s->most - s->least))
		return false;
	p = guest_mem_at(mem, gpa, len);
	if (unlikely(p == NULL))
		return false;
	*to = (struct fragment){p + s->skip, len - s->skip};
	return true;
}

/*
 * Reads up to `max` available entries from `at` on. to[] gets their buffers, id[] their heads.
 * Returns how many were singles.
 */
static __rte_always_inline unsigned int
singles_split(const struct virtqueue *vq, const struct singles *s, uint16_t at, unsigned int max,
		struct fragment *to, uint16_t *id)
{
	struct vring_desc d;
	unsigned int i;
	uint16_t head;

	for (i = 0; i < max; i++) {
		if (i % SINGLES_LINE == 0)
			split_prefetch(vq, at + i + SINGLES_AHEAD);
		head = split_head(vq, at + i);
		if (unlikely(head >= vq->size))
			break;
		d = split_read(&vq->desc[head]);
		if (unlikely(d.flags != s->flags) ||
				!singles_find(vq->mem, s, d.addr, d.len, &to[i]))
			break;
		id[i] = head;
	}
	return i;
}

/*
 * Does as singles_split() for a packed ring, from position `at` and its wrap counter on; it also ends where
 * nothing is available.
 */
static __rte_always_inline unsigned int
singles_packed(const struct virtqueue *vq, const struct singles *s, uint16_t at, bool wrap,
		unsigned int max, struct fragment *to, uint16_t *id)
{
	uint16_t expect = s->flags | (wrap ? PACKED_AVAIL : PACKED_USED);
	struct vring_packed_desc *d;
	unsigned int i;
	uint64_t rest;

	for (i = 0; i < max; i++) {
		d = &vq->ring[at];
		if (i % SINGLES_LINE == 0)
			packed_prefetch(vq, at + SINGLES_AHEAD);
		/* The flags, and what is in the same half, are there before the address is read. */
		rest = load_acquire((used_half *)&d->len);
		if ((rest >> 48 & PACKED_SINGLE) != expect ||
				!singles_find(vq->mem, s, load_relaxed(&d->addr), (uint32_t)rest,
						&to[i]))
			break;
		id[i] = (uint16_t)(rest >> 32);
		if (unlikely(++at == vq->size)) {
			at = 0;
			expect ^= PACKED_AVAIL | PACKED_USED;
		}
	}
	return i;
}

#ifdef SIMD_AVX2
/* Do as singles_split() and singles_packed(), by AVX2. They may stop earlier: those go on from there. */
unsigned int singles_split_avx2(const struct virtqueue *vq, const struct singles *s, uint16_t at,
		unsigned int max, struct fragment *to, uint16_t *id);
unsigned int singles_packed_avx2(const struct virtqueue *vq, const struct singles *s, uint16_t at,
		bool wrap, unsigned int max, struct fragment *to, uint16_t *id);
#else
#define singles_split_avx2(vq, s, at, max, to, id) 0
#define singles_packed_avx2(vq, s, at, wrap, max, to, id) 0
#endif

#endif /* GUEST_SINGLES_H */
