/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The way of a burst: see forward.h for where to begin. */
#include <string.h>

#include <rte_cycles.h>

#include "frame/cost.h"
#include "frame/flow.h"
#include "switch/forward.h"
#include "switch/lane.h"
#include "switch/park.h"
#include "switch/route.h"
#include "switch/sink.h"
#include "switch/source.h"
#include "switch/stall.h"

/* Offers frames of a source to a port's sink. */
static inline struct outcome
forward_deliver_one(struct lane *l, const struct source *s, uint16_t to, frame_set want)
{
	struct sink *k = port_sink(&l->shared.ports->port[to]);

	if (unlikely(k == NULL)) /* stopped: it may be back in a moment */
		return (struct outcome){0, 0};
	return k->ops->deliver(k, l, s, want);
}

/* The same in a visit that is examined: the port is charged for the time that its memory takes. */
static __rte_cold struct outcome
forward_deliver_examined(struct lane *l, const struct source *s, uint16_t to, frame_set want)
{
	frame_set some = stall_limit(l, to, want);
	struct outcome o = {0, 0};

	if (some == 0) {
		l->burst.put_off = !(want & l->stall.touched);
		return o;
	}
	o = forward_deliver_one(l, s, to, some);
	stall_receiver(l, to, frame_set_count(o.taken));
	if (some != want && (o.taken | o.refused) == some)
		l->burst.put_off = true;
	return o;
}

/* Returns how many frames may be fetched, or tried again, at a time. */
static inline unsigned int
forward_most(const struct lane *l)
{
	return unlikely(l->burst.touch.on) ? stall_most(l) : BURST_MAX;
}

/*
 * Second pass: visits each destination once, with the frames that need not wait for others. When
 * the visit has cost enough, the remaining destinations are put off until the next visit.
 */
static __rte_always_inline void
forward_deliver(struct lane *l, struct source *s, const struct flow_set *blocked,
		const bool examined)
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
			want = flow_others(b, want, blocked->flow[d->port[i]]);
			d->delay[i] = DELAY_BEHIND;
		}
		b->put_off = b->cost >= COST_VISIT_MAX;
		if (unlikely(want == 0 || b->put_off))
			d->outcome[i] = (struct outcome){0, 0};
		else if (examined)
			d->outcome[i] = forward_deliver_examined(l, s, d->port[i], want);
		else
			d->outcome[i] = forward_deliver_one(l, s, d->port[i], want);
		if (unlikely(b->put_off))
			d->delay[i] = DELAY_PUT_OFF;
	}
}

/* Counts a copy that `port` had no room for in time. Returns the reason. */
static enum drop_reason
forward_miss(struct lane *l, const struct source *s, uint16_t port, struct frame *f)
{
	const struct sink *k = port_sink(&l->shared.ports->port[port]);

	count_add(&l->count[port].missed, 1);
	return k == NULL ? DROP_GONE : k->ops->why_not(k, l, s, f);
}

/* Returns the flows of a source to a port that must wait while this frame does: all, or its own. */
static uint64_t
forward_held_up(const struct lane *l, const struct source *s, uint16_t port, struct frame *f)
{
	const struct sink *k = port_sink(&l->shared.ports->port[port]);

	if (k == NULL || k->ops->by_flow == NULL || !k->ops->by_flow(k, l, s))
		return FLOWS_ALL;
	return UINT64_C(1) << flow_of(f);
}

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
						forward_held_up(l, s, port,
								&s->park->slot[slot].frame)))
			owed = true;
		else
			f->reason = forward_miss(l, s, port, f);
	}
	if (f->offload != 0)
		l->burst.cost += COST_HEADERS;
	if (slot >= 0 && !owed)
		park_remove(s->park, slot);
	return owed;
}

/* Returns true if some destination is to be tried again as soon as possible. */
static bool
forward_is_put_off(const struct dests *d)
{
	unsigned int i;

	for (i = 0; i < d->n; i++)
		if (d->delay[i] == DELAY_PUT_OFF)
			return true;
	return false;
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
	if (forward_is_put_off(&l->dests))
		s->park->next_try = now;
	FRAME_SET_FOREACH(i, left)
		if (forward_park_frame(l, s, i, sent >> i & 1, now))
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

/* Returns true if an errand has to wait for earlier ones that were just tried in vain. */
static bool
forward_is_held_up(struct park *p, const struct errand *e)
{
	uint64_t flows = flow_set_get(&p->blocked, e->port);

	if (flows == 0 || flows == FLOWS_ALL)
		return flows != 0;
	return flows >> flow_of(&p->slot[e->slot].frame) & 1;
}

/*
 * Takes waiting frames into l->burst, oldest first, except those that must not overtake others and
 * are not late. Returns where it stopped.
 */
static unsigned int
forward_retry_gather(
		struct lane *l, struct park *p, unsigned int first, unsigned int n, uint64_t now)
{
	unsigned int most = forward_most(l);
	struct burst *b = &l->burst;
	bool held_up, gone;
	struct errand *e;
	unsigned int i;
	int last = -1;

	b->n = 0;
	b->plain = 0;
	l->dests.n = 0;
	for (i = first; i < n; i++) {
		e = &p->errand[i];
		held_up = forward_is_held_up(p, e);
		gone = port_epoch(&l->shared.ports->port[e->port]) != e->epoch;
		e->idle = held_up && !gone && now < p->slot[e->slot].deadline;
		if (e->idle)
			continue;
		/* The errands of one frame follow each other. */
		if (e->slot != last) {
			if (b->n == most)
				break;
			last = e->slot;
			b->frame[b->n++] = p->slot[last].frame;
		}
		if (!held_up && !gone)
			dests_add(&l->dests, e->port, frame_set_one(b->n - 1));
	}
	b->cost += b->n * COST_WAIT + (i - first) * COST_ERRAND;
	return i;
}

/*
 * Returns what became of frame i of l->burst at a port, if it was offered. Notes a port that was
 * put off: later frames for it then have as much time.
 */
static struct outcome
forward_retry_outcome(const struct dests *d, struct park *p, uint16_t port, unsigned int i)
{
	unsigned int at = d->slot[port];
	frame_set bit = frame_set_one(i);

	if (at >= d->n || d->port[at] != port || !(d->want[at] & bit))
		return (struct outcome){0, 0};
	if (d->delay[at] == DELAY_PUT_OFF)
		port_set_add(&p->put_off, port);
	return (struct outcome){d->outcome[at].taken & bit, d->outcome[at].refused & bit};
}

/* Returns true if an errand that found no room has waited long enough. */
static bool
forward_is_late(const struct lane *l, const struct park *p, const struct errand *e, uint64_t now)
{
	uint64_t deadline = p->slot[e->slot].deadline;

	if (port_set_has(&p->put_off, e->port))
		deadline += l->put_off_time;
	return now >= deadline;
}

/* Settles one errand for frame i of l->burst. Returns true if it is done. */
static bool
forward_retry_settle(struct lane *l, struct source *s, const struct errand *e, unsigned int i,
		uint64_t now)
{
	struct parked *f = &s->park->slot[e->slot];
	struct outcome o = forward_retry_outcome(&l->dests, s->park, e->port, i);
	struct port_count *count = &l->count[s->port];
	struct frame *in = &l->burst.frame[i];

	if (o.taken) {
		count_add(f->sent ? &count->flooded : &count->delivered, 1);
		f->sent = true;
		return true;
	}
	if (o.refused) {
		f->frame.reason = in->reason;
		count_add(&l->count[e->port].missed, 1);
	} else if (port_epoch(&l->shared.ports->port[e->port]) != e->epoch) {
		f->frame.reason = DROP_GONE; /* no port has missed it, as the port is gone */
	} else if (forward_is_late(l, s->park, e, now)) {
		f->frame.reason = forward_miss(l, s, e->port, &f->frame);
	} else {
		return false;
	}
	return true;
}

/* Keeps an errand, as the kept-th one; later errands of its flow wait for it. */
static void
forward_retry_keep(struct lane *l, struct source *s, const struct errand *e, unsigned int kept)
{
	struct park *p = s->park;

	flow_set_add(&p->blocked, e->port, forward_held_up(l, s, e->port, &p->slot[e->slot].frame));
	p->errand[kept] = *e;
}

/*
 * Settles the errands from i to `next`, whose frames were offered. `kept` errands were kept before;
 * returns how many are kept now.
 */
static unsigned int
forward_retry_settle_all(struct lane *l, struct source *s, unsigned int i, unsigned int next,
		unsigned int kept, uint64_t now)
{
	struct port_count *count = &l->count[s->port];
	struct park *p = s->park;
	frame_set done = 0;
	struct errand e;
	int k = -1, last = -1;

	for (; i < next; i++) {
		e = p->errand[i];
		if (e.idle) {
			p->errand[kept++] = e;
			continue;
		}
		k += e.slot != last;
		last = e.slot;
		if (!forward_retry_settle(l, s, &e, k, now)) {
			forward_retry_keep(l, s, &e, kept++);
		} else if (park_done(p, &e)) {
			if (!p->slot[e.slot].sent)
				count_add(&count->drop[p->slot[e.slot].frame.reason], 1);
			done |= frame_set_one(k);
			park_remove(p, e.slot);
		}
	}
	s->ops->retire(s, l->burst.frame, done, count);
	return kept;
}

/*
 * Offers waiting frames again, as long as the visit may cost more. A destination that a flow found
 * full counts as full for that flow in this pass; otherwise a later frame might overtake an earlier
 * one.
 */
static void
forward_retry(struct lane *l, struct source *s, uint64_t now)
{
	struct park *p = s->park;
	unsigned int i, next, kept = 0, n = p->nerrands;

	flow_set_clear(&p->blocked);
	port_set_clear(&p->put_off);
	p->next_try = now + l->retry_delay;
	for (i = 0; i < n && l->burst.cost < COST_VISIT_MAX; i = next) {
		next = forward_retry_gather(l, p, i, n, now);
		if (unlikely(l->burst.touch.on))
			stall_touch(l, false);
		forward_deliver(l, s, NULL, l->burst.touch.on);
		if (forward_is_put_off(&l->dests))
			p->next_try = now;
		kept = forward_retry_settle_all(l, s, i, next, kept, now);
	}
	/* The visit has cost enough, so it fetches nothing that would have to wait for the others. */
	if (unlikely(i < n))
		p->next_try = now;
	memmove(&p->errand[kept], &p->errand[i], (n - i) * sizeof(p->errand[0]));
	p->nerrands = kept + n - i;
	s->waiting = p->nerrands != 0;
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
		fan = d->flood >> i & 1 ? d->nflood : 1;
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

/*
 * Offers waiting frames again. Returns how many frames may be fetched: as many as could be parked.
 */
static unsigned int
forward_poll_waiting(struct lane *l, struct source *s)
{
	uint64_t now = rte_rdtsc();

	if (now >= s->park->next_try)
		forward_retry(l, s, now);
	return l->burst.cost < COST_VISIT_MAX ? RTE_MIN(forward_most(l), park_room(s->park)) : 0;
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
 * code: among the code of usual visits they made those take 1.03 times as long.
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
		max = forward_poll_waiting(l, s);
	if (likely(max != 0) && s->ops->fetch(s, b, max) != 0 &&
			(!examined || forward_touch(l, s))) {
		route_burst(l, s, b);
		if (unlikely(l->dests.flood != 0))
			forward_trim(l, s);
		forward_deliver(l, s, s->waiting ? &s->park->blocked : NULL, examined);
		forward_settle(l, s);
		b->cost += COST_VISIT + b->n * COST_FRAME;
	}
	b->cost += (l->count[s->port].signals - signals) * COST_SIGNAL;
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

void
forward_release(struct source *s, struct port_count *count)
{
	struct park *p = s->park;
	struct parked *f;
	unsigned int i;

	for (i = 0; i < p->nerrands; i++) {
		f = &p->slot[p->errand[i].slot];
		if (!park_done(p, &p->errand[i]))
			continue;
		if (!f->sent)
			count_add(&count->drop[DROP_PAUSED], 1);
		s->ops->retire(s, &f->frame, 1, count);
		park_remove(p, p->errand[i].slot);
	}
	p->nerrands = 0;
	s->waiting = false;
	flow_set_clear(&p->blocked);
}
