/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Counters of a port.
 *
 * Each worker counts for itself, in one struct port_count for each port, and is the only writer.
 * Readers add up over the workers with relaxed loads: while frames move the sum is a few frames
 * old, and at rest it is exact.
 *
 * A frame is counted when its fate is known, at the port it came from:
 *
 *	received == delivered + dropped		per port, at rest
 *
 * Delivered means that at least one port took it. `flooded` counts the further copies, so over all
 * ports sent == delivered + flooded. A port counts as `missed` the frames that were to go there and
 * found no room, or did not fit. A frame that is cut into segments counts as one frame, with its
 * own bytes; its segments are counted in `segments`.
 */
#ifndef COUNT_H
#define COUNT_H

#include <stdint.h>

#include <rte_common.h>

#include "base/atomic.h"
#include "frame/drops.h"

struct port_count {
	uint64_t received; /* frames taken from the port */
	uint64_t received_bytes;
	uint64_t delivered; /* received frames that reached at least one port */
	uint64_t flooded;   /* further copies of delivered frames */
	uint64_t sent;      /* frames that the port took */
	uint64_t sent_bytes;
	uint64_t missed;         /* frames for the port that it did not take */
	uint64_t signals;        /* signals to the guest */
	uint64_t unlearned;      /* addresses refused: the port had its quota */
	uint64_t checksums;      /* frames that the port took with a checksum of ours */
	uint64_t segments;       /* frames that longer ones were cut into for the port */
	uint64_t drop[DROP_MAX]; /* received frames that were dropped, by reason */
} __rte_cache_aligned;

/* Adds n to a counter of the calling worker. */
static inline void
count_add(uint64_t *counter, uint64_t n)
{
	/* This is a plain addition whose result readers see as a whole. */
	store_relaxed(counter, *counter + n);
}

/* Returns the sum of a port's drop reasons. */
static inline uint64_t
count_dropped(const struct port_count *c)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < DROP_MAX; i++)
		sum += c->drop[i];
	return sum;
}

#endif /* COUNT_H */
