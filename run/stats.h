/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Counters, and the table they are printed in.
 *
 * Each worker counts for itself, one struct port_count a port, and is the only
 * writer; readers add up over the workers with relaxed loads, so a table that
 * is read while frames move is a few frames old, and one at rest is exact.
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
#ifndef STATS_H
#define STATS_H

#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>

#include "base/atomic.h"
#include "frame/drops.h"

struct vswitch;

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
uint64_t stats_dropped(const struct port_count *c);

/*
 * Adds up what the workers counted for a port. Main lcore, or any thread while
 * the workers rest.
 */
void stats_port(const struct vswitch *sw, uint16_t port, struct port_count *sum);

/*
 * Puts the counters of a port whose guest has left into sw->departed, so that
 * the next tenant starts at zero. The workers' own are not touched: what went
 * before is remembered in sw->retired. Main lcore, a grace period after the port
 * was withdrawn.
 */
void stats_retire(struct vswitch *sw, uint16_t port);

/* Logs the counters of a port whose guest has left. Main lcore, before stats_retire(). */
void stats_log_departed(const struct vswitch *sw, uint16_t port);

/* Prints the table: devices, uplink, departed, total, then drop reasons. */
void stats_print(const struct vswitch *sw, FILE *out);

#endif /* STATS_H */
