/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames that have waited for room: see retry.h for the contract. */
#include <string.h>

#include <rte_cycles.h>

#include "frame/cost.h"
#include "frame/flow.h"
#include "switch/deliver.h"
#include "switch/lane.h"
#include "switch/park.h"
#include "switch/retry.h"
#include "switch/source.h"
#include "switch/stall.h"

/*
 * A copy whose port was put off is tried in so many passes more at least, however late it is. A pass takes a fifth of a
 * millisecond at most, in which a worker seldom loses its CPU; in eight of them in a row it does not.
 */
#define PUT_OFF_PASSES 8

/* Returns true if an errand has to wait for earlier ones that were just tried in vain. */
static bool
retry_is_held_up(struct park *p, const struct errand *e)
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
retry_gather(struct lane *l, struct park *p, unsigned int first, unsigned int n, uint64_t now)
{
	unsigned int most = deliver_most(l);
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
		held_up = retry_is_held_up(p, e);
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
retry_outcome(const struct dests *d, struct park *p, uint16_t port, unsigned int i)
{
	unsigned int at = d->slot[port];
	frame_set bit = frame_set_one(i);

	if (at >= d->n || d->port[at] != port || !(d->want[at] & bit))
		return (struct outcome){0, 0};
	if (d->delay[at] == DELAY_PUT_OFF)
		port_set_add(&p->put_off, port);
	return (struct outcome){d->outcome[at].taken & bit, d->outcome[at].refused & bit};
}

/*
 * Returns true if an errand that found no room has waited long enough. Where its port was put off time alone does not
 * tell: nobody has looked for room, and this worker may have been without its CPU for most of it.
 */
static bool
retry_is_late(const struct lane *l, const struct park *p, struct errand *e, uint64_t now)
{
	uint64_t deadline = p->slot[e->slot].deadline;

	if (!port_set_has(&p->put_off, e->port))
		return now >= deadline;
	if (e->put_off < PUT_OFF_PASSES) {
		e->put_off++;
		return false;
	}
	return now >= deadline + l->put_off_time;
}

/* Settles one errand for frame i of l->burst. Returns true if it is done. */
static bool
retry_settle(struct lane *l, struct source *s, struct errand *e, unsigned int i, uint64_t now)
{
	struct parked *f = &s->park->slot[e->slot];
	struct outcome o = retry_outcome(&l->dests, s->park, e->port, i);
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
	} else if (retry_is_late(l, s->park, e, now)) {
		f->frame.reason = deliver_miss(l, s, e->port, &f->frame);
	} else {
		return false;
	}
	return true;
}

/* Keeps an errand, as the kept-th one; later errands of its flow wait for it. */
static void
retry_keep(struct lane *l, struct source *s, const struct errand *e, unsigned int kept)
{
	struct park *p = s->park;

	flow_set_add(&p->blocked, e->port, deliver_held_up(l, s, e->port, &p->slot[e->slot].frame));
	p->errand[kept] = *e;
}

/*
 * Settles the errands from i to `next`, whose frames were offered. `kept` errands were kept before;
 * returns how many are kept now.
 */
static unsigned int
retry_settle_all(struct lane *l, struct source *s, unsigned int i, unsigned int next,
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
		if (!retry_settle(l, s, &e, k, now)) {
			retry_keep(l, s, &e, kept++);
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
retry_all(struct lane *l, struct source *s, uint64_t now)
{
	struct park *p = s->park;
	unsigned int i, next, kept = 0, n = p->nerrands;

	flow_set_clear(&p->blocked);
	port_set_clear(&p->put_off);
	p->next_try = now + l->retry_delay;
	for (i = 0; i < n && l->burst.cost < COST_VISIT_MAX; i = next) {
		next = retry_gather(l, p, i, n, now);
		if (unlikely(l->burst.touch.on))
			stall_touch(l, false);
		deliver_all(l, s, NULL, l->burst.touch.on);
		if (deliver_is_put_off(&l->dests))
			p->next_try = now;
		kept = retry_settle_all(l, s, i, next, kept, now);
	}
	/* The visit has cost enough, so it fetches nothing that would have to wait for the others. */
	if (unlikely(i < n))
		p->next_try = now;
	memmove(&p->errand[kept], &p->errand[i], (n - i) * sizeof(p->errand[0]));
	p->nerrands = kept + n - i;
	s->waiting = p->nerrands != 0;
}

unsigned int
retry_poll(struct lane *l, struct source *s)
{
	uint64_t now = rte_rdtsc();

	if (now >= s->park->next_try)
		retry_all(l, s, now);
	return l->burst.cost < COST_VISIT_MAX ? RTE_MIN(deliver_most(l), park_room(s->park)) : 0;
}

void
retry_release(struct source *s, struct port_count *count)
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
