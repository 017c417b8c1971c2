/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finishing frames for a receiver that did not take their offloads: the checksum is
 * completed, or the frame is cut into segments, with no second copy of its payload.
 *
 * A finished frame is a view like any other: a private copy of the headers, changed as
 * that frame needs it, and pieces that point to where the payload lies. Checksums are
 * summed up from there (RFC 1071). A guest that changes the payload before it is copied
 * gets a wrong checksum to its own flow.
 *
 * Not DPDK's rte_gso: that of 22.11 knows no TCP over IPv6, cuts UDP into IP fragments
 * instead of datagrams, and wants mbufs.
 *
 *	finish_begin(&fin, frame, what the receiver does itself);
 *	while ((f = finish_next(&fin)) != NULL)
 *		...
 *
 * On the stack of the worker that has the frame; nothing outlives it.
 */
#ifndef FINISH_H
#define FINISH_H

#include <stdbool.h>
#include <stdint.h>

#include "forward/frame.h"
#include "forward/offload.h"

struct finish {
	const struct frame *whole;
	uint32_t n, i;            /* frames to make; made so far */
	uint32_t rest;            /* bytes of payload that are still to go */
	bool partial;             /* their checksums are left to the receiver */
	const struct piece *from; /* where the next byte of payload is, */
	uint32_t skip;            /* ... so many bytes into the piece */
	struct frame frame;       /* the one made last */
	struct headers headers;
	uint8_t field[2]; /* its checksum, if that is not among the headers */
	/* Headers, payload; the field, for which a piece of payload may be cut in two. */
	struct piece piece[1 + CHAIN_MAX + 2];
};

/* Begins with frame *f, which has something left to do that is not among `takes`. */
void finish_begin(struct finish *fin, const struct frame *f, uint8_t takes);

/* The next frame, or NULL. Good until the next call. */
const struct frame *finish_next(struct finish *fin);

/* Length of frame `i` of fin->n. */
static inline uint32_t
finish_len(const struct finish *fin, uint32_t i)
{
	const struct frame *f = fin->whole;

	if (fin->n == 1)
		return f->len;
	if (i < fin->n - 1)
		return f->headers->len + f->vnet.gso_size;
	return f->len - i * f->vnet.gso_size;
}

#endif /* FINISH_H */
