/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rounds of a lane: see round.h for the contract. */
#include <rte_branch_prediction.h>

#include "switch/forward.h"
#include "switch/lane.h"
#include "switch/round.h"
#include "switch/source.h"

/* Visits a source at the charge of a share. Returns true if the share may have more. */
static inline bool
round_visit(struct lane *l, struct share *share, struct source *s)
{
	uint32_t cost;

	if (unlikely(!share_may(&l->clock, share)))
		return false;
	cost = forward_poll(l, s);
	if (cost != 0)
		share_visited(&l->clock, share, cost);
	return true;
}

/* Visits each source once, as long as their share allows; the next round goes on there. */
static __rte_noinline void
round_visit_all(struct lane *l, struct polled *p, unsigned int n)
{
	struct source *s;
	unsigned int i, at = p->next;

	for (i = 0; i < n; i++, at++) {
		if (at >= n)
			at = 0;
		s = load_acquire(&p->source[at]);
		if (s == NULL || !source_has_work(s))
			continue;
		if (!round_visit(l, &p->share, s))
			break;
	}
	p->next = at;
}

/*
 * Most ports have one source here, and most of those have nothing to do: for these a round reads
 * nothing else.
 */
static inline void
round_poll_port(struct lane *l, struct polled *p)
{
	unsigned int n = load_acquire(&p->n);
	struct source *s;

	if (unlikely(n != 1)) {
		round_visit_all(l, p, n);
		return;
	}
	s = load_acquire(&p->source[0]);
	if (s != NULL && source_has_work(s))
		round_visit(l, &p->share, s);
}

void
lane_round(struct lane *l)
{
	unsigned int i, n = load_acquire(&l->npoll);
	struct polled *p;

	share_round(&l->clock);
	for (i = 0; i < n; i++) {
		p = load_acquire(&l->poll[i]);
		if (likely(p != NULL))
			round_poll_port(l, p);
	}
	load_round(&l->load, l->clock.least != UINT64_MAX);
	share_round_over(&l->clock);
}
