/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Who is served next: deficit round robin by cost (cost.h), over guests.
 *
 * A worker has a clock of cost, and each guest that it polls an account on it. Work for a
 * guest moves its account on by what it cost; the clock follows the guest that had least
 * among those with something to do. Who is ahead of the clock by SHARE_AHEAD waits for
 * the others. So guests that all have something to do get the same, however the one or
 * the other cuts its work into rings, frames and chains, and who is alone never waits. A
 * guest that had nothing to do has saved nothing up: it begins where the clock stands.
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
 * How far a guest may be ahead: some bursts of short frames, so that each round of the
 * worker serves most of those who are about even, and a round remains short.
 */
#define SHARE_AHEAD 16384

struct share {
	uint64_t used; /* on the clock of the worker */
};

struct share_clock {
	uint64_t now;
	uint64_t least; /* in this round: where the last of those with work is */
};

static inline void
share_round(struct share_clock *c)
{
	c->least = UINT64_MAX;
}

/* Whether work for it may be done now. One that must wait has work, for all we know. */
static inline bool
share_may(struct share_clock *c, const struct share *s)
{
	if (likely(s->used < c->now + SHARE_AHEAD))
		return true;
	c->least = RTE_MIN(c->least, s->used);
	return false;
}

/* Charges work to it that was done just now. */
static inline void
share_charge(const struct share_clock *c, struct share *s, uint32_t cost)
{
	s->used = RTE_MAX(s->used, c->now) + cost;
}

/* The same after a visit: it had work, so the clock does not run away from it. */
static inline void
share_visited(struct share_clock *c, struct share *s, uint32_t cost)
{
	share_charge(c, s, cost);
	c->least = RTE_MIN(c->least, s->used);
}

/* Ends a round. With nothing to do for anybody the clock runs on, and debts are over. */
static inline void
share_round_over(struct share_clock *c)
{
	if (c->least == UINT64_MAX)
		c->now += SHARE_AHEAD;
	else if (c->least > c->now)
		c->now = c->least;
}

#endif /* SHARE_H */
