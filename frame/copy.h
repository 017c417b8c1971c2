/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The one copy: a frame's bytes into a destination.
 *
 * The source may be guest memory that changes meanwhile. So the Ethernet header is written last,
 * from the private copy that the frame was routed by; if the frame has offloads, so are all of its
 * checked headers. Called by workers, on frames and buffers that they hold.
 */
#ifndef COPY_H
#define COPY_H

#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "base/prefetch.h"
#include "frame/frame.h"

/* Up to this length inlined moves are faster than a call of the C library's memcpy. */
#define COPY_INLINE 256

static inline void
copy_bytes(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (len <= COPY_INLINE)
		rte_memcpy(to, from, len);
	else
		memcpy(to, from, len);
}

/* Brings a frame's first fragment into the cache, but its first line, which was read when the frame was fetched. */
static inline void
frame_prefetch(const struct frame *f)
{
	const uint8_t *p = f->frag->base, *end = p;

	if (likely(f->nfrags != 0))
		end += f->frag->len;
	p = RTE_PTR_ALIGN_FLOOR(p, RTE_CACHE_LINE_SIZE);
	while ((p += RTE_CACHE_LINE_SIZE) < end)
		rte_prefetch0(p);
}

/* Brings `len` bytes at p, which are about to be written, into the cache. */
static inline void
copy_prefetch(uint8_t *p, uint32_t len)
{
	uint32_t off;

	for (off = 0; off < len; off += RTE_CACHE_LINE_SIZE)
		prefetch_write(p + off);
}

/* Returns the private copy of a frame's headers, or of the Ethernet header alone. */
static inline struct fragment
frame_front(const struct frame *f)
{
	if (unlikely(f->offload != 0))
		return (struct fragment){f->headers->bytes, f->headers->len};
	return (struct fragment){(uint8_t *)(uintptr_t)&f->eth, sizeof(f->eth)};
}

/* Copies a frame with no offload into `to`, which holds f->len bytes. */
static inline void
frame_copy_plain(uint8_t *to, const struct frame *f)
{
	const struct fragment *p = f->frag;
	uint8_t *at = to;
	unsigned int i;

	for (i = 0; i < f->nfrags; i++, p++) {
		copy_bytes(at, p->base, p->len);
		at += p->len;
	}
	memcpy(to, &f->eth, sizeof(f->eth));
}

/* Returns true if all of a frame with offloads was copied when it was checked. */
static inline bool
frame_is_held(const struct frame *f)
{
	return f->len <= f->headers->held;
}

/* Copies any frame into `to`, which holds f->len bytes, and leaves its offloads undone. */
static inline void
frame_copy(uint8_t *to, const struct frame *f)
{
	if (likely(f->offload == 0)) {
		frame_copy_plain(to, f);
	} else if (frame_is_held(f)) {
		copy_bytes(to, f->headers->bytes, f->len);
	} else {
		frame_copy_plain(to, f);
		memcpy(to, f->headers->bytes, f->headers->len);
	}
}

/*
 * Copies `len` bytes from one list of fragments to another, starting `skip` bytes
 * into the destination. Both lists are long enough.
 */
void frags_copy(struct fragment *to, uint32_t skip, const struct fragment *from, uint32_t len);

/* Moves `n` bytes from the front of a frame's fragments into buf. f->len >= n. */
void frame_pull(struct frame *f, void *buf, uint32_t n);

/* Copies the first `n` bytes of a frame into buf, and leaves the frame as it is. */
void frame_peek(const struct frame *f, void *buf, uint32_t n);

#endif /* COPY_H */
