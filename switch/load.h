/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * How busy a worker is: cycles of the TSC that it spent in rounds that had something to do, and
 * asleep. A round that found nothing is neither.
 *
 * The worker is the only writer. Any thread may read (run/load.h), and sees each number as a whole.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

#include "base/atomic.h"

struct lane_load {
	uint64_t last;   /* when the last round ended, or the last sleep; 0: there was none */
	uint64_t worked; /* when the last round with work ended */
	uint64_t busy;   /* cycles in rounds with work */
	uint64_t asleep; /* cycles asleep, without the sleep that goes on now */
	uint64_t since;  /* when the sleep began that goes on now; 0: it is awake */
};

/* Ends a round. This is the one look at the TSC that a round has. */
static inline void
load_round(struct lane_load *d, bool busy)
{
	uint64_t now = rte_rdtsc();

	if (busy) {
		if (d->last != 0)
			store_relaxed(&d->busy, d->busy + (now - d->last));
		d->worked = now;
	}
	d->last = now;
}

#endif /* LOAD_H */
