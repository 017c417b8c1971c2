/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Cuts a frame that is longer than its receiver takes into segments, without a second copy of its
 * payload.
 *
 * Each segment is a view like any other: a private copy of the headers, adapted to the segment, and
 * fragments that point to the payload. It has an offload of its own, OFFLOAD_CSUM: the sum of its
 * pseudo header is right, and whoever copies it leaves the rest to its receiver, or completes it
 * (checksum.h).
 *
 * DPDK's rte_gso is not used: in 22.11 it knows no TCP over IPv6, cuts UDP into IP fragments
 * instead of datagrams, and needs mbufs.
 *
 *	gso_begin(&gso, frame);
 *	while ((f = gso_next(&gso)) != NULL)
 *		...
 *
 * A struct gso is on the stack of the worker that has the frame; nothing outlives it.
 */
#ifndef GSO_H
#define GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/offload.h"

struct gso {
	const struct frame *whole;
	uint32_t n;                  /* number of segments to make */
	uint32_t i;                  /* number of segments made so far */
	uint32_t rest;               /* bytes of payload that are still to go */
	const struct fragment *from; /* fragment with the next byte of payload */
	uint32_t skip;               /* offset in `from` of the next byte of payload */
	struct frame frame;          /* the segment that was made last */
	struct headers headers;
	struct fragment frag[1 + CHAIN_MAX]; /* headers and payload */
};

/* Begins with frame *f, which has an offload of OFFLOAD_GSO. */
void gso_begin(struct gso *gso, const struct frame *f);

/* Returns the next frame, or NULL. It is valid until the next call. */
const struct frame *gso_next(struct gso *gso);

/* Returns the length of frame `i` of gso->n. */
static inline uint32_t
gso_len(const struct gso *gso, uint32_t i)
{
	const struct frame *f = gso->whole;

	if (gso->n == 1)
		return f->len;
	if (i < gso->n - 1)
		return f->headers->len + f->vnet.gso_size;
	return f->len - i * f->vnet.gso_size;
}

#endif /* GSO_H */
