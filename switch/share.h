/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Decides who is served next: deficit round robin by cost (cost.h), over guests.
 *
 * A worker has a clock of cost, and each guest that it polls has an account. Work for a guest adds
 * its cost to the account; the clock follows the guest that had least among those with something to
 * do. A guest that is ahead of the clock by SHARE_AHEAD waits for the others. So all guests with
 * something to do get the same, however they divide their work into rings, frames and chains, and a
 * guest alone never waits. A guest that had nothing to do has saved nothing: it begins at the
 * clock's time.
 *
 * The clock never passes the highest account: only work moves it, so an account whose guest was idle for
 * a year is not far behind. Times are compared by their distance, so the clock may wrap.
 *
 * All of it belongs to one worker. No locks.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

/*
 * How far a guest may be ahead: some bursts of short frames. So each round of the worker serves
 * most of the guests that are about even, and a round remains short.
 */
#define SHARE_AHEAD 16384

struct share {
	uint64_t used; /* in units of the worker's clock */
	bool long_chains; /* as a receiver it was charged for chains that are longer than drivers need (room.h) */
	uint64_t until; /* TSC up to which its visits are examined for slow memory (stall.h) */
	uint32_t hold; /* milliseconds that its visits are examined for, once page faults were many */
	uint64_t calm;  /* TSC from which page faults in its visits count as few; see stall.c */
	uint32_t fault; /* cycles that one of its page faults took, of late */
	uint32_t slow;  /* cost of page faults a frame, of late; see stall.h */
};

struct share_clock {
	uint64_t now;
	uint64_t most; /* highest account: all debts end there */
	int64_t least; /* how far ahead the least account is, of those with work in this round */
};

/* What `least` is while nobody has had work in the round. */
#define SHARE_NOBODY INT64_MAX

/* Returns how far a time is ahead of the clock; negative if the clock has passed it. */
static inline int64_t
share_ahead(const struct share_clock *c, uint64_t time)
{
	return time - c->now;
}

static inline void
share_round(struct share_clock *c)
{
	c->least = SHARE_NOBODY;
}

/* Returns true if work for it may be done now. A share that must wait is taken to have work. */
static inline bool
share_may(struct share_clock *c, const struct share *s)
{
	const int64_t ahead = share_ahead(c, s->used);

	if (likely(ahead < SHARE_AHEAD))
		return true;
	c->least = RTE_MIN(c->least, ahead);
	return false;
}

/* Charges it for work that was just done. */
static inline void
share_charge(struct share_clock *c, struct share *s, uint32_t cost)
{
	s->used = c->now + RTE_MAX(share_ahead(c, s->used), 0) + cost;
	if (share_ahead(c, s->used) > share_ahead(c, c->most))
		c->most = s->used;
}

/* Charges it after a visit: it had work, so the clock must not overtake it. */
static inline void
share_visited(struct share_clock *c, struct share *s, uint32_t cost)
{
	share_charge(c, s, cost);
	c->least = RTE_MIN(c->least, share_ahead(c, s->used));
}

/* Returns true if somebody had work in this round. */
static inline bool
share_had_work(const struct share_clock *c)
{
	return c->least != SHARE_NOBODY;
}

/* Ends a round. If nobody had work the clock moves on, so that debts end. */
static inline void
share_round_over(struct share_clock *c)
{
	int64_t step = c->least;

	if (!share_had_work(c))
		step = RTE_MIN(share_ahead(c, c->most), SHARE_AHEAD);
	if (step > 0)
		c->now += step;
}

#endif /* SHARE_H */
