/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What workers did in the last second: see load.h for the contract. */
#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "base/atomic.h"
#include "run/load.h"
#include "switch/balance.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/source.h"

#define MILLION 1000000u

/* A move must relieve the busiest worker of this much of its CPU: less is noise. */
#define GAIN_PERCENT 2

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
 * Returns the ratio of `part` to `all`, in millionths. A round or a sleep may have ended while its
 * counters were read: the ratio then is a little too high in one second, and too low in the next.
 */
static uint64_t
load_ratio(uint64_t part, uint64_t before, uint64_t all)
{
	if (part < before || all == 0)
		return 0;
	return RTE_MIN((double)(part - before) / all, 1.0) * MILLION;
}

/* Notes how many frames of each guest the worker took since the last look. */
static void
load_mark_guests(struct loads *all, const struct lane *l, unsigned int worker)
{
	unsigned int i;
	uint64_t n;

	for (i = 0; i < GUEST_MAX; i++) {
		n = load_relaxed(&l->count[i].received);
		all->moved[worker][i] = n - all->received[worker][i];
		all->received[worker][i] = n;
	}
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
			store_relaxed(&w->busy, load_ratio(m.busy, before->busy, passed));
			store_relaxed(&w->asleep, load_ratio(m.asleep, before->asleep, passed));
			store_relaxed(&w->frames,
					(uint64_t)((double)frames * rte_get_tsc_hz() / passed));
			store_relaxed(&w->cycles,
					frames == 0 ? 0 : (m.busy - before->busy) / frames);
		}
		*before = m;
		load_mark_guests(all, lanes->lane[i], i);
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

/* A ring by its device and queue pair, for each weight. */
struct balance {
	unsigned int n;
	uint64_t load[WORKER_MAX];
	struct {
		uint16_t device, pair;
	} ring[GUEST_MAX * QUEUE_PAIRS_MAX];
	struct weight weight[GUEST_MAX * QUEUE_PAIRS_MAX];
};

/*
 * Adds the rings of one guest that a lane polls. It assumes that these rings cost the same, and that each
 * frame costs the worker's mean.
 */
static void
balance_add(struct balance *b, const struct loads *all, const struct lane *l, unsigned int device)
{
	const struct polled *p = &l->polled[device];
	const struct source *s;
	uint64_t load = all->moved[l->id][device] * all->worker[l->id].cycles;
	unsigned int i, k, n = 0;

	for (k = 0; k < QUEUE_PAIRS_MAX; k++)
		n += load_acquire(&p->source[k]) != NULL;
	/* librte_vhost's thread may add one meanwhile. */
	n = RTE_MAX(n, 1u);
	for (k = 0; k < QUEUE_PAIRS_MAX; k++) {
		s = load_acquire(&p->source[k]);
		if (s == NULL || b->n == RTE_DIM(b->weight))
			continue;
		i = b->n++;
		b->ring[i].device = device;
		b->ring[i].pair = s->pair;
		b->weight[i] = (struct weight){.worker = l->id, .load = load / n};
	}
}

struct balance *
loads_weigh(const struct loads *all, const struct lanes *lanes)
{
	struct balance *b = calloc(1, sizeof(*b));
	unsigned int i, k;

	for (i = 0; b != NULL && i < lanes->n; i++) {
		b->load[i] = all->worker[i].busy * (rte_get_tsc_hz() / MILLION);
		for (k = 0; k < GUEST_MAX; k++)
			balance_add(b, all, lanes->lane[i], k);
	}
	return b;
}

bool
loads_next_move(struct balance *b, unsigned int workers, uint16_t *device, uint16_t *pair,
		unsigned int *worker)
{
	unsigned int i = balance_step(b->weight, b->n, b->load, workers,
			rte_get_tsc_hz() / 100 * GAIN_PERCENT, worker);

	if (i == b->n)
		return false;
	*device = b->ring[i].device;
	*pair = b->ring[i].pair;
	return true;
}
