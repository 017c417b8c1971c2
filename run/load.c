/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What workers did in the last second: see load.h for the contract. */
#include <rte_common.h>
#include <rte_cycles.h>

#include "base/atomic.h"
#include "run/load.h"
#include "switch/lane.h"
#include "switch/lanes.h"

#define MILLION 1000000u

/* Reads a lane's counters; a sleep that goes on counts up to now. */
static struct load_mark
load_read(const struct lane *l, uint64_t now)
{
	uint64_t since = load_relaxed(&l->load.since);
	struct load_mark m = {
			.busy = load_relaxed(&l->load.busy),
			.asleep = load_relaxed(&l->load.asleep),
	};
	unsigned int i;

	if (since != 0 && now > since)
		m.asleep += now - since;
	for (i = 0; i < PORT_MAX; i++)
		m.frames += load_relaxed(&l->count[i].received);
	return m;
}

/*
 * Returns what part of `all` that is, in millionths. A round or a sleep may have ended while its
 * counters were read: a share then is a little too high in one second, and too low in the next.
 */
static uint64_t
load_share(uint64_t part, uint64_t before, uint64_t all)
{
	if (part < before || all == 0)
		return 0;
	return RTE_MIN((double)(part - before) / all, 1.0) * MILLION;
}

void
loads_sample(struct loads *all, const struct lanes *lanes, uint64_t now)
{
	uint64_t passed = now - all->at, frames;
	struct load_mark m, *before;
	struct worker_load *w;
	unsigned int i;

	for (i = 0; i < lanes->n; i++) {
		m = load_read(lanes->lane[i], now);
		before = &all->mark[i];
		w = &all->worker[i];
		frames = m.frames - before->frames;
		if (all->at != 0 && passed != 0) {
			store_relaxed(&w->busy, load_share(m.busy, before->busy, passed));
			store_relaxed(&w->asleep, load_share(m.asleep, before->asleep, passed));
			store_relaxed(&w->frames,
					(uint64_t)((double)frames * rte_get_tsc_hz() / passed));
			store_relaxed(&w->cycles,
					frames == 0 ? 0 : (m.busy - before->busy) / frames);
		}
		*before = m;
	}
	all->at = now;
}

struct worker_load
loads_of(const struct loads *all, unsigned int worker)
{
	const struct worker_load *w = &all->worker[worker];

	return (struct worker_load){
			.busy = load_relaxed(&w->busy),
			.asleep = load_relaxed(&w->asleep),
			.frames = load_relaxed(&w->frames),
			.cycles = load_relaxed(&w->cycles),
	};
}

unsigned int
load_rings(const struct lane *l)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < POLLED_MAX; i++)
		for (k = 0; k < QUEUE_PAIRS_MAX; k++)
			n += load_acquire(&l->polled[i].source[k]) != NULL;
	return n;
}
