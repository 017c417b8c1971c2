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
	uint64_t until; /* TSC up to which its visits are examined for them */
	uint32_t hold;  /* for how long they were, last time, in milliseconds */
	uint64_t calm;  /* TSC from which page faults in its visits count as few; see stall.c */
	uint32_t fault; /* cycles that one of its page faults took, of late */
	uint32_t slow;  /* cost of page faults a frame, of late; see stall.h */
};

struct share_clock {
	uint64_t now;
	uint64_t least; /* least account of those with work in this round */
};

static inline void
share_round(struct share_clock *c)
{
	c->least = UINT64_MAX;
}

/* Returns true if work for it may be done now. A share that must wait is taken to have work. */
static inline bool
share_may(struct share_clock *c, const struct share *s)
{
	if (likely(s->used < c->now + SHARE_AHEAD))
		return true;
	c->least = RTE_MIN(c->least, s->used);
	return false;
}

/* Charges it for work that was just done. */
static inline void
share_charge(const struct share_clock *c, struct share *s, uint32_t cost)
{
	s->used = RTE_MAX(s->used, c->now) + cost;
}

/* Charges it after a visit: it had work, so the clock must not overtake it. */
static inline void
share_visited(struct share_clock *c, struct share *s, uint32_t cost)
{
	share_charge(c, s, cost);
	c->least = RTE_MIN(c->least, s->used);
}

/* Ends a round. If nobody had work the clock moves on, so that debts end. */
static inline void
share_round_over(struct share_clock *c)
{
	if (c->least == UINT64_MAX)
		c->now += SHARE_AHEAD;
	else if (c->least > c->now)
		c->now = c->least;
}

#endif /* SHARE_H */
