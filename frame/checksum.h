/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Completes the checksum that a frame's sender left to others (virtio 1.2 section 5.1.6.2), for a
 * receiver that does not do it itself.
 *
 * The checked headers are added up from their private copy, everything else from where it is. If a
 * guest changes that meanwhile, its own frame gets a wrong checksum. What was written to a receiver
 * is never read.
 *
 * Called by the worker that has the frame, whose offload is OFFLOAD_CSUM alone.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stdint.h>

#include "frame/frame.h"

/* Returns the offset of the frame's checksum. */
static inline uint32_t
checksum_at(const struct frame *f)
{
	return (uint32_t)f->vnet.csum_start + f->vnet.csum_offset;
}

/* Returns the frame's checksum, as its bytes are now. */
uint16_t checksum_of(const struct frame *f);

/* Copies the frame into `to`, which holds f->len bytes, with its checksum. */
void checksum_copy(uint8_t *to, const struct frame *f);

/* Puts the checksum into a copy of the frame in memory that is the switch's alone. */
void checksum_put(uint8_t *copy, const struct frame *f);

#endif /* CHECKSUM_H */
