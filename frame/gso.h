/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finishing frames for a receiver that did not take their offloads: the checksum is
 * completed, or the frame is cut into segments, with no second copy of its payload.
 *
 * A finished frame is a view like any other: a private copy of the headers, changed as
 * that frame needs it, and fragments that point to where the payload lies. Checksums are
 * summed up from there (RFC 1071). A guest that changes the payload before it is copied
 * gets a wrong checksum to its own flow.
 *
 * Not DPDK's rte_gso: that of 22.11 knows no TCP over IPv6, cuts UDP into IP fragments
 * instead of datagrams, and wants mbufs.
 *
 *	gso_begin(&gso, frame, what the receiver does itself);
 *	while ((f = gso_next(&gso)) != NULL)
 *		...
 *
 * On the stack of the worker that has the frame; nothing outlives it.
 */
#ifndef GSO_H
#define GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/offload.h"

struct gso {
	const struct frame *whole;
	uint32_t n, i;               /* frames to make; made so far */
	uint32_t rest;               /* bytes of payload that are still to go */
	bool partial;                /* their checksums are left to the receiver */
	const struct fragment *from; /* where the next byte of payload is, */
	uint32_t skip;               /* ... so many bytes into the fragment */
	struct frame frame;          /* the one made last */
	struct headers headers;
	uint8_t field[2]; /* its checksum, if that is not among the headers */
	/* Headers, payload; the field, for which a fragment of payload may be cut in two. */
	struct fragment frag[1 + CHAIN_MAX + 2];
};

/* Begins with frame *f, which has something left to do that is not among `takes`. */
void gso_begin(struct gso *gso, const struct frame *f, uint8_t takes);

/* The next frame, or NULL. Good until the next call. */
const struct frame *gso_next(struct gso *gso);

/* Length of frame `i` of gso->n. */
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
