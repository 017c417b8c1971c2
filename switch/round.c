/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rounds of a lane: see round.h for the contract. */
#include <rte_branch_prediction.h>

#include "frame/cost.h"
#include "switch/forward.h"
#include "switch/lane.h"
#include "switch/round.h"
#include "switch/sink.h"
#include "switch/source.h"
#include "switch/stall.h"

/*
 * Number of busy ports from which on their rings are prefetched. Fewer, with rings of 256 entries, stay in an L2
 * cache of 1 or 2 MB.
 */
#define AHEAD_LEAST 8

/*
 * Number of busy ports from which on short frames, too, are prefetched (rx.h). With rings of 256 the rate rises if 128
 * guests send, or more, and falls if 64 do: see doc/figures.rst, "Where the cycles of a frame go".
 */
#define FAR_LEAST 96

/* The same as forward_poll(), and returns the cost with that of page faults. */
static __rte_cold uint32_t
round_poll_timed(struct lane *l, struct share *share, struct source *s)
{
	uint32_t cost;

	stall_begin(l, s, share);
	cost = l->burst.touch.on ? forward_poll_examined(l, s) : forward_poll(l, s);
	return cost + stall_end(l, cost);
}

/* Visits a source, and charges the cost to a share. Returns true if the share allows further visits. */
static inline bool
round_visit(struct lane *l, struct share *share, struct source *s)
{
	uint32_t cost;

	if (unlikely(!share_may(&l->clock, share)))
		return false;
	if (likely(!l->stall.timed))
		cost = forward_poll(l, s);
	else
		cost = round_poll_timed(l, share, s);
	l->worked += cost;
	if (cost != 0)
		share_visited(&l->clock, share, cost);
	return true;
}

/* Returns true if a source of a share has work, or has to wait for others. */
static inline bool
round_has_work(struct lane *l, struct share *share, const struct source *s)
{
	return likely(!l->stall.timed) ? source_has_work(s) : stall_has_work(l, share, s);
}

/*
 * Visits each source once, as long as their share allows; the next round goes on after the last one visited.
 * Returns false if none has work.
 */
static __rte_noinline bool
round_visit_all(struct lane *l, struct polled *p, unsigned int n)
{
	struct source *s;
	unsigned int i, at = p->next;
	bool found = false;

	for (i = 0; i < n; i++, at++) {
		if (at >= n)
			at = 0;
		s = load_acquire(&p->source[at]);
		if (s == NULL || !round_has_work(l, &p->share, s))
			continue;
		found = true;
		if (!round_visit(l, &p->share, s))
			break;
	}
	p->next = at;
	return found;
}

/*
 * Visits the sources of a port that have work. Returns false if none has. Most ports have one source in this
 * lane, which usually has nothing to do: then this reads only the entry and the source's bell.
 */
static inline bool
round_poll_port(struct lane *l, struct polled *p)
{
	unsigned int n = load_acquire(&p->n);
	struct source *s;

	if (unlikely(n != 1))
		return round_visit_all(l, p, n);
	s = load_acquire(&p->source[0]);
	if (s == NULL || !round_has_work(l, &p->share, s))
		return false;
	round_visit(l, &p->share, s);
	return true;
}

/*
 * Prefetches for the source of an entry of l->poll, and for where its last frames went. `next`: it is visited
 * next; otherwise after one more.
 */
static inline void
round_ahead(const struct lane *l, unsigned int i, bool next)
{
	const struct polled *p = load_acquire(&l->poll[i]);
	const struct source *s = p != NULL ? load_acquire(&p->source[0]) : NULL;
	const struct sink *k;

	if (unlikely(s == NULL || s->ops->ahead == NULL))
		return;
	s->ops->ahead(s, next);
	k = port_sink(&l->shared.ports->port[s->last_to]);
	if (k != NULL && k->ops->ahead != NULL)
		k->ops->ahead(k, s, next);
}

/* Returns entry i of the n of l->poll. NULL: no source is there any more. */
static inline struct polled *
round_entry(const struct lane *l, unsigned int i, unsigned int n)
{
	return i < n ? load_acquire(&l->poll[i]) : NULL;
}

static inline bool
round_is_busy(const struct lane *l, unsigned int i)
{
	return l->busy[i / 64] >> (i % 64) & 1;
}

/* Changes what round_is_busy() returns. */
static inline void
round_flip_busy(struct lane *l, unsigned int i)
{
	l->busy[i / 64] ^= UINT64_C(1) << (i % 64);
}

/* Lists the busy ports, so that the round may change which are. Returns how many there are. */
static inline unsigned int
round_list(const struct lane *l, unsigned int n, uint16_t *list)
{
	unsigned int w, k = 0;
	uint64_t left;

	for (w = 0; w * 64 < n; w++)
		for (left = l->busy[w]; left != 0; left &= left - 1)
			list[k++] = w * 64 + __builtin_ctzll(left);
	return k;
}

/* Serves the busy ports. Those that have nothing any more are no longer busy. */
static inline void
round_busy(struct lane *l, unsigned int n)
{
	uint16_t list[POLLED_MAX];
	unsigned int at, busy = round_list(l, n, list);
	/* Busy ports whose rings are prefetched; 0: too few. */
	unsigned int ahead = busy >= AHEAD_LEAST ? busy : 0;
	struct polled *p;

	l->burst.cold = ahead != 0;
	l->burst.far = busy >= FAR_LEAST;
	for (at = 0; at < busy; at++) {
		if (at + 2 < ahead)
			round_ahead(l, list[at + 2], false);
		if (at + 1 < ahead)
			round_ahead(l, list[at + 1], true);
		p = round_entry(l, list[at], n);
		if (p == NULL || !round_poll_port(l, p))
			round_flip_busy(l, list[at]);
	}
}

/* Looks at the other ports, in turn: at all of them, or at as many as the round's work allows. */
static inline void
round_others(struct lane *l, unsigned int n)
{
	unsigned int i, looks = n;
	struct polled *p;

	if (l->worked != 0) {
		l->look_credit += l->worked;
		looks = RTE_MIN(l->look_credit / COST_LOOK, n);
		/* A look at all ports pays what is owed: else it would add up, and all would be looked at for long. */
		l->look_credit = looks < n ? l->look_credit - looks * COST_LOOK : 0;
	}
	for (; looks > 0; looks--) {
		i = l->look_at;
		l->look_at = i + 1 < n ? i + 1 : 0;
		p = round_entry(l, i, n);
		if (p != NULL && !round_is_busy(l, i) && round_poll_port(l, p))
			round_flip_busy(l, i);
	}
}

void
lane_round(struct lane *l)
{
	unsigned int n = load_acquire(&l->npoll);

	share_round(&l->clock);
	l->worked = 0;
	round_busy(l, n);
	round_others(l, n);
	load_round(&l->load, share_had_work(&l->clock));
	l->stall.worked += l->worked;
	if (unlikely(l->load.last >= l->stall.next))
		stall_look(l);
	share_round_over(&l->clock);
}
