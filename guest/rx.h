/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Fills a guest's receive ring.
 *
 * Any worker may do it: the ring's lock is taken once a burst and held while it copies. While several
 * workers want the ring, each takes a part of it and copies without the lock (lease.h); a ring that
 * can't be had soon is left for a later visit. The order of a burst is kept: filling ends at the
 * first frame that finds no room. Nothing is written outside of the buffers that the guest offered,
 * and nothing is visible to it before ring_publish() or lease_end().
 */
#ifndef GUEST_RX_H
#define GUEST_RX_H

#include <stdint.h>

#include "base/simd.h"
#include "frame/copy.h"
#include "guest/virtqueue.h"
#include "switch/burst.h"

struct port_count;

/*
 * Copies the frames of `want` into the ring, in order, until it has no room for the next one. A
 * frame that can never fit is refused, with its reason in the frame. Counts what was sent. Any
 * worker.
 */
struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, frame_set want, struct port_count *count);

/*
 * While a buffer is written, the buffer this many places after it is prefetched. A store that has to
 * wait for its cache line holds up all later ones. Without this a frame of 1518 bytes took 110 cycles
 * (rings of 256) and 311 (rings of 1024), with it 94 and 276. Three and four places were no better, and
 * with six the first lines had left the cache again.
 *
 * If many guests are busy, the frame is prefetched as well: with 64 that all send, 1518 bytes were 1.19 to 1.23
 * times as fast. With two, whose frames are still in the cache, that cost 3 %.
 */
#define RX_AHEAD 2

/*
 * The same for short frames, if very many guests are busy (round.c): to copy one takes less time than its cache lines,
 * which then come from the L3 or from memory.
 */
#define RX_AHEAD_SHORT 8u

/*
 * Looks ahead from to[0], the first of n buffers, which is for frame i of the burst. Each buffer has a frame: so there
 * are n - 1 after it, though maybe not these. `cold` is b->cold, which a loop reads once: as far as the compiler knows,
 * each store into a buffer may change it.
 */
static inline void
rx_put_ahead(const struct burst *b, unsigned int i, const struct fragment *to, unsigned int n,
		const bool cold)
{
	const struct frame *f = &b->frame[i];
	unsigned int ahead = RX_AHEAD;

	if (unlikely(cold) && b->far && f->len <= COPY_INLINE)
		ahead = RX_AHEAD_SHORT;
	if (unlikely(n <= ahead))
		return;
	f += ahead;
	to += ahead;
	if (unlikely(cold) && (b->far || f->len > COPY_INLINE))
		frame_prefetch(f);
	copy_prefetch(to->base, RTE_MIN(to->len, f->len + (uint32_t)HDR_MAX));
}

#ifdef SIMD_AVX2
/*
 * Writes the plain frames of `run` into to[0] to to[n - 1], one each, after the virtio-net header of
 * 12 bytes. There are at least n frames. Each to[].len becomes the bytes that were written. Returns how
 * many it wrote: it stops before a frame that does not fit, or is shorter than any honest one.
 */
unsigned int rx_put_avx2(const struct burst *b, frame_set run, struct fragment *to, unsigned int n);
#else
#define rx_put_avx2(b, run, to, n) 0
#endif

#endif /* GUEST_RX_H */
