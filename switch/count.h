/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Counters of a port.
 *
 * Each worker counts for itself, one struct port_count a port, and is the only
 * writer; readers add up over the workers with relaxed loads, so what is read while
 * frames move is a few frames old, and at rest it is exact.
 *
 * A frame is counted when its fate is known, at the port it came from:
 *
 *	received == delivered + dropped		per port, at rest
 *
 * where delivered means that at least one port took it. `flooded` counts the
 * further copies, so over all ports sent == delivered + flooded. A port counts
 * as `missed` what was to go there and found no room, or did not fit. A frame that is
 * cut into segments counts as the one that it was, with the bytes that it had; its
 * segments are counted in `segments`.
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
	uint64_t delivered; /* of those: reached at least one port */
	uint64_t flooded;   /* further copies of those */
	uint64_t sent;      /* frames put into the port */
	uint64_t sent_bytes;
	uint64_t missed;         /* frames for the port that it did not take */
	uint64_t signals;        /* times the guest was signalled */
	uint64_t unlearned;      /* addresses refused: the table's share was full */
	uint64_t checksums;      /* frames put into the port with a checksum of ours */
	uint64_t segments;       /* frames that longer ones were cut into for the port */
	uint64_t drop[DROP_MAX]; /* of the received: why dropped */
} __rte_cache_aligned;

/* Adds n to a counter of the calling worker's own. */
static inline void
count_add(uint64_t *counter, uint64_t n)
{
	/* A plain add, but one that a reader never sees half done. */
	store_relaxed(counter, *counter + n);
}

/* Sum of the drop reasons of a port. */
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
