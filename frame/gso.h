/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Does what a frame's offloads left undone, for a receiver that does not take them: completes the
 * checksum, or cuts the frame into segments, without a second copy of its payload.
 *
 * The result is a view like any other: a private copy of the headers, adapted to the segment, and
 * fragments that point to the payload. Checksums are computed from there (RFC 1071). If a guest
 * changes the payload before it is copied, its own flow gets a wrong checksum.
 *
 * DPDK's rte_gso is not used: in 22.11 it knows no TCP over IPv6, cuts UDP into IP fragments
 * instead of datagrams, and needs mbufs.
 *
 *	gso_begin(&gso, frame, what the receiver does itself);
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
	uint32_t n, i;               /* number of frames to make, and made so far */
	uint32_t rest;               /* bytes of payload that are still to go */
	bool partial;                /* the receiver completes their checksums */
	const struct fragment *from; /* fragment with the next byte of payload */
	uint32_t skip;               /* offset of that byte in the fragment */
	struct frame frame;          /* the one made last */
	struct headers headers;
	uint8_t field[2]; /* the frame's checksum, if that is not among the headers */
	/* Headers and payload; `field` may split a fragment of the payload in two. */
	struct fragment frag[1 + CHAIN_MAX + 2];
};

/* Begins with frame *f, which has an offload that is not among `takes`. */
void gso_begin(struct gso *gso, const struct frame *f, uint8_t takes);

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
