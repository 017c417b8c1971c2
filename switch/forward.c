/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The way of a burst: see forward.h for where to begin. */
#include <rte_cycles.h>

#include "frame/cost.h"
#include "switch/deliver.h"
#include "switch/forward.h"
#include "switch/lane.h"
#include "switch/park.h"
#include "switch/retry.h"
#include "switch/route.h"
#include "switch/source.h"
#include "switch/stall.h"

/*
 * Parks frame i of l->burst with an errand for each destination that did not take it. Returns false
 * if it can't wait; each such copy is counted as missed.
 */
static bool
forward_park_frame(struct lane *l, struct source *s, unsigned int i, bool sent, uint64_t now)
{
	struct frame *f = &l->burst.frame[i];
	struct dests *d = &l->dests;
	frame_set bit = frame_set_one(i);
	bool owed = false;
	unsigned int k;
	uint16_t port;
	int slot = park_add(s->park, f, sent, now + l->retry_time);

	for (k = 0; k < d->n; k++) {
		if (!(d->want[k] & ~d->outcome[k].taken & ~d->outcome[k].refused & bit))
			continue;
		port = d->port[k];
		l->burst.cost += COST_PARK;
		/* Without retries a frame waits only for destinations that were not tried. */
		if (slot >= 0 && (l->retry_time != 0 || d->delay[k] != DELAY_NONE) &&
				park_errand(s->park, slot, port,
						port_epoch(&l->shared.ports->port[port]),
						deliver_held_up(l, s, port,
								&s->park->slot[slot].frame)))
			owed = true;
		else
			f->reason = deliver_miss(l, s, port, f);
	}
	if (f->offload != 0)
		l->burst.cost += COST_HEADERS;
	if (slot >= 0 && !owed)
		park_remove(s->park, slot);
	return owed;
}

/* Parks the frames that found no room. Returns the frames that now wait. */
static frame_set
forward_park_burst(struct lane *l, struct source *s, frame_set left, frame_set sent)
{
	uint64_t now = rte_rdtsc();
	frame_set waiting = 0;
	unsigned int i;

	if (park_empty(s->park))
		s->park->next_try = now + l->retry_delay;
	if (deliver_is_put_off(&l->dests))
		s->park->next_try = now;
	FRAME_SET_FOREACH(i, left)
		if (forward_park_frame(l, s, i, frame_set_has(sent, i), now))
			waiting |= frame_set_one(i);
	s->waiting = !park_empty(s->park);
	return waiting;
}

/*
 * Counts what became of a fresh burst, parks the frames that wait, and gives the others back. A
 * frame without a destination got its reason when it was routed.
 */
static inline void
forward_settle(struct lane *l, struct source *s)
{
	struct port_count *count = &l->count[s->port];
	struct dests *d = &l->dests;
	struct burst *b = &l->burst;
	frame_set all = frame_set_of(b->n), sent = 0, left = 0;
	uint64_t bytes = 0;
	unsigned int i, copies = 0;

	for (i = 0; i < d->n; i++) {
		sent |= d->outcome[i].taken;
		copies += frame_set_count(d->outcome[i].taken);
		left |= d->want[i] & ~d->outcome[i].taken & ~d->outcome[i].refused;
		if (unlikely(d->outcome[i].refused != 0))
			count_add(&l->count[d->port[i]].missed,
					frame_set_count(d->outcome[i].refused));
	}
	for (i = 0; i < b->n; i++)
		bytes += b->frame[i].len;
	count_add(&count->received, b->n);
	count_add(&count->received_bytes, bytes);
	count_add(&count->delivered, frame_set_count(sent));
	count_add(&count->flooded, copies - frame_set_count(sent));
	if (unlikely(left != 0))
		left = forward_park_burst(l, s, left, sent);
	FRAME_SET_FOREACH(i, all & ~sent & ~left) {
		b->cost += COST_DROP;
		count_add(&count->drop[b->frame[i].reason], 1);
	}
	s->ops->retire(s, b->frame, all & ~left, count);
}

/*
 * Leaves flooded frames in the source if their copies would cost more than a visit may. The first
 * frame is always kept; its last ports may have to wait for the next visit.
 */
static void
forward_trim(struct lane *l, struct source *s)
{
	struct burst *b = &l->burst;
	struct dests *d = &l->dests;
	uint32_t cost = b->cost + d->n * COST_DEST;
	unsigned int i, k, fan, copies = 0, most = b->n * RTE_MAX(d->nflood, 1u);

	/* To few ports even the longest plain frames may all go: no look at each of them. */
	if (b->plain == frame_set_of(b->n) && most <= PARK_ERRANDS / 2 &&
			cost + most * COST_PLAIN_MAX <= COST_VISIT_MAX)
		return;
	for (i = 0; i < b->n; i++) {
		fan = frame_set_has(d->flood, i) ? d->nflood : 1;
		cost += fan * frame_cost(&b->frame[i]);
		copies += fan;
		if (i > 0 && (cost > COST_VISIT_MAX || copies > PARK_ERRANDS / 2))
			break;
	}
	if (i == b->n)
		return;
	s->ops->unfetch(s, b, i);
	for (k = 0; k < d->n; k++)
		d->want[k] &= frame_set_of(i);
}

/* Touches the frames that were fetched, and leaves others in the source. Returns false if none was touched. */
static bool
forward_touch(struct lane *l, struct source *s)
{
	unsigned int n = stall_touch(l, true);

	if (n < l->burst.n)
		s->ops->unfetch(s, &l->burst, n);
	return n != 0;
}

/*
 * A visit. `examined` is a constant, so that a usual visit asks nothing. Visits that are examined are compiled as cold
 * code: among the code of usual visits they made those slower (doc/figures.rst, "Where the cycles of a frame go").
 */
static __rte_always_inline uint32_t
forward_visit(struct lane *l, struct source *s, const bool examined)
{
	uint64_t signals = l->count[s->port].signals;
	unsigned int max = examined ? stall_most(l) : BURST_MAX;
	struct burst *b = &l->burst;

	b->cost = b->paid = 0;
	b->clock = &l->clock;
	if (unlikely(s->waiting))
		max = retry_poll(l, s);
	if (likely(max != 0) && s->ops->fetch(s, b, max) != 0 &&
			(!examined || forward_touch(l, s))) {
		route_burst(l, s, b);
		if (unlikely(l->dests.flood != 0))
			forward_trim(l, s);
		deliver_all(l, s, s->waiting ? &s->park->blocked : NULL, examined);
		forward_settle(l, s);
		b->cost += COST_VISIT + b->n * COST_FRAME;
	}
	b->cost += (l->count[s->port].signals - signals) * b->signal;
	return b->cost - b->paid;
}

uint32_t
forward_poll(struct lane *l, struct source *s)
{
	return forward_visit(l, s, false);
}

__rte_cold uint32_t
forward_poll_examined(struct lane *l, struct source *s)
{
	return forward_visit(l, s, true);
}
