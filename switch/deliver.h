/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Delivers a burst: visits each destination once, with all of the burst's frames for it. The burst is a fresh one
 * (forward.c) or one of frames that have waited (retry.c).
 *
 * All that it works on belongs to the lane and its worker, except sinks (sink.h).
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "frame/cost.h"
#include "frame/flow.h"
#include "switch/lane.h"
#include "switch/park.h"
#include "switch/sink.h"
#include "switch/source.h"
#include "switch/stall.h"

/* Counts a copy that `port` had no room for in time. Returns the reason. */
enum drop_reason
deliver_miss(struct lane *l, const struct source *s, uint16_t port, struct frame *f);

/* Returns the flows of a source to a port that must wait while this frame does: all, or its own. */
uint64_t
deliver_held_up(const struct lane *l, const struct source *s, uint16_t port, struct frame *f);

/* Returns true if some destination is to be tried again as soon as possible. */
bool deliver_is_put_off(const struct dests *d);

/* The same as deliver_one() in a visit that is examined: the port is charged for the time that its memory takes. */
struct outcome
deliver_examined(struct lane *l, const struct source *s, uint16_t to, frame_set want);

/* Offers frames of a source to a port's sink. */
static inline struct outcome
deliver_one(struct lane *l, const struct source *s, uint16_t to, frame_set want)
{
	struct sink *k = port_sink(&l->shared.ports->port[to]);

	if (unlikely(k == NULL)) /* stopped: it may be back in a moment */
		return (struct outcome){0, 0};
	return k->ops->deliver(k, l, s, want);
}

/* Returns how many frames may be fetched, or tried again, at a time. */
static inline unsigned int
deliver_most(const struct lane *l)
{
	return unlikely(l->burst.touch.on) ? stall_most(l) : BURST_MAX;
}

/*
 * Visits each destination once, with the frames that need not wait for others: `blocked` are the flows that wait
 * already, or NULL. When the visit has cost enough, the remaining destinations are put off until the next visit.
 */
static __rte_always_inline void
deliver_all(struct lane *l, struct source *s, const struct flow_set *blocked, const bool examined)
{
	struct dests *d = &l->dests;
	struct burst *b = &l->burst;
	frame_set want;
	unsigned int i;

	s->last_to = d->port[0];
	for (i = 0; i < d->n; i++) {
		want = d->want[i];
		d->delay[i] = DELAY_NONE;
		if (unlikely(blocked != NULL && port_set_has(&blocked->port, d->port[i]))) {
			want = flow_others(b->frame, want, blocked->flow[d->port[i]]);
			d->delay[i] = DELAY_ORDER;
		}
		b->put_off = b->cost >= COST_VISIT_MAX;
		if (unlikely(want == 0 || b->put_off))
			d->outcome[i] = (struct outcome){0, 0};
		else if (examined)
			d->outcome[i] = deliver_examined(l, s, d->port[i], want);
		else
			d->outcome[i] = deliver_one(l, s, d->port[i], want);
		if (unlikely(b->put_off))
			d->delay[i] = DELAY_PUT_OFF;
	}
}

#endif /* DELIVER_H */
