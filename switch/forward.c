/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The way of a burst: see forward.h for where to begin. */
#include <rte_cycles.h>

#include "base/atomic.h"
#include "frame/cost.h"
#include "frame/flow.h"
#include "switch/forward.h"
#include "guest/rx.h"
#include "guest/virtqueue.h"
#include "main.h"
#include "frame/offload.h"
#include "switch/park.h"
#include "switch/route.h"
#include "switch/source.h"
#include "uplink/uplink.h"
#include "run/worker.h"

/* Marks frames as never to be taken by a destination. */
static struct outcome
refuse(struct burst *b, uint64_t frames, enum drop_reason reason)
{
	uint64_t left;

	for (left = frames; left != 0; left &= left - 1)
		b->frame[__builtin_ctzll(left)].reason = reason;
	return (struct outcome){.refused = frames};
}

/* Offers frames to one receive ring of port `to`. */
static inline struct outcome
deliver_ring(struct worker *w, uint16_t to, struct virtqueue *vq, uint64_t want)
{
	if (unlikely(vq == NULL)) /* paused: it is back in a moment */
		return (struct outcome){0, 0};
	if (unlikely(vq_broken(vq)))
		return refuse(&w->burst, want, DROP_GONE);
	return rx_deliver(vq, &w->burst, want, &w->count[to]);
}

/*
 * Whether a guest's receive rings are filled by queue pair. So it is if the sender has a
 * transmit ring for each of them: what its driver put into one ring stays together, no
 * header is looked at, and workers that poll different rings of it fill different ones.
 * Else each flow has its ring.
 */
static inline bool
by_pairs(const struct worker *w, const struct source *s, const struct rx_set *rx)
{
	return rx->n == 1 || load_relaxed(&w->sw->port[s->port].tx_rings) >= rx->n;
}

static inline struct virtqueue *
ring_of_pair(const struct source *s, const struct rx_set *rx)
{
	uint16_t i = s->pair;

	while (unlikely(i >= rx->n)) /* s->pair % rx->n, without a division */
		i -= rx->n;
	return rx->vq[i];
}

/* Offers frames to a port of several receive rings, each flow to its own. */
static struct outcome
deliver_flows(struct worker *w, uint16_t to, const struct rx_set *rx, uint64_t want)
{
	uint64_t part[QUEUE_PAIRS_MAX] = {0}, left;
	struct outcome all = {0, 0}, one;
	unsigned int i;

	for (left = want; left != 0; left &= left - 1) {
		i = __builtin_ctzll(left);
		part[flow_ring(&w->burst.frame[i], rx->n)] |= UINT64_C(1) << i;
	}
	for (i = 0; i < rx->n; i++) {
		if (part[i] == 0)
			continue;
		one = deliver_ring(w, to, rx->vq[i], part[i]);
		all.taken |= one.taken;
		all.refused |= one.refused;
	}
	return all;
}

/* The tag of a sender's frames on the uplink, and whether they may have another. */
static inline uint16_t
uplink_tag(const struct port *p)
{
	return p->vlan | (p->policy & PORT_NO_TAGS ? UPLINK_RETAG : 0);
}

static struct outcome
deliver_uplink(struct worker *w, const struct source *s, uint64_t want)
{
	struct burst *b = &w->burst;
	struct outcome o = uplink_deliver(w->sw->uplink, w->id, b, want,
			uplink_tag(&w->sw->port[s->port]), &w->count[PORT_UPLINK]);
	const struct frame *f;

	for (; want != 0; want &= want - 1) {
		f = &b->frame[__builtin_ctzll(want)];
		b->cost += frame_cost(f);
		if (f->offload != 0)
			b->cost += offload_frames(f) * COST_PART + COST_SUM(f->len);
	}
	b->cost += COST_DEST;
	return o;
}

/* Offers frames of a source to port `to`. */
static inline struct outcome
deliver_one(struct worker *w, const struct source *s, uint16_t to, uint64_t want)
{
	struct vswitch *sw = w->sw;
	const struct rx_set *rx;

	if (unlikely(to == PORT_UPLINK))
		return deliver_uplink(w, s, want);
	w->burst.receiver = &w->polled[to].share;
	rx = load_acquire(&sw->port[to].rx);
	if (unlikely(rx == NULL)) /* stopped: it may be back in a moment */
		return (struct outcome){0, 0};
	if (likely(by_pairs(w, s, rx)))
		return deliver_ring(w, to, ring_of_pair(s, rx), want);
	return deliver_flows(w, to, rx, want);
}

/* Of the frames of `want`, those whose flows are not held up. */
static uint64_t
free_to_go(struct burst *b, uint64_t want, uint64_t flows)
{
	uint64_t left, ok = 0;

	for (left = flows == FLOWS_ALL ? 0 : want; left != 0; left &= left - 1)
		if (!(flows >> flow_of(&b->frame[__builtin_ctzll(left)]) & 1))
			ok |= left & -left;
	return ok;
}

/*
 * Second pass: visits each destination once, with the frames that need not wait behind
 * others. When the visit has cost enough, what is left is put off until the next one.
 */
static inline void
deliver(struct worker *w, const struct source *s, const struct flow_set *blocked)
{
	struct dests *d = &w->dests;
	struct burst *b = &w->burst;
	uint64_t want;
	unsigned int i;

	for (i = 0; i < d->n; i++) {
		want = d->want[i];
		d->delay[i] = DELAY_NONE;
		if (unlikely(blocked != NULL && port_set_has(&blocked->port, d->port[i]))) {
			want = free_to_go(b, want, blocked->flow[d->port[i]]);
			d->delay[i] = DELAY_BEHIND;
		}
		b->put_off = b->cost >= COST_VISIT_MAX;
		if (unlikely(want == 0 || b->put_off))
			d->outcome[i] = (struct outcome){0, 0};
		else
			d->outcome[i] = deliver_one(w, s, d->port[i], want);
		if (unlikely(b->put_off))
			d->delay[i] = DELAY_PUT_OFF;
	}
}

/* The receive ring that a frame to a guest waits for; NULL: it is gone, or paused. */
static const struct virtqueue *
ring_for(const struct worker *w, const struct source *s, uint16_t port, struct frame *f)
{
	const struct rx_set *rx = load_acquire(&w->sw->port[port].rx);

	if (rx == NULL)
		return NULL;
	return by_pairs(w, s, rx) ? ring_of_pair(s, rx) : rx->vq[flow_ring(f, rx->n)];
}

/* Counts a copy that `port` had no room for in time. Returns why that was. */
static enum drop_reason
miss(struct worker *w, const struct source *s, uint16_t port, struct frame *f)
{
	count_add(&w->count[port].missed, 1);
	if (port == PORT_UPLINK)
		return uplink_reason(w->sw->uplink, w->id);
	return ring_for(w, s, port, f) == NULL ? DROP_GONE : DROP_RING_FULL;
}

/* The flows of a source to a port that have to wait behind this frame: its own at least. */
static uint64_t
held_up(const struct worker *w, const struct source *s, uint16_t port, struct frame *f)
{
	const struct rx_set *rx;

	if (port == PORT_UPLINK)
		return FLOWS_ALL;
	rx = load_acquire(&w->sw->port[port].rx);
	return rx == NULL || by_pairs(w, s, rx) ? FLOWS_ALL : UINT64_C(1) << flow_of(f);
}

/*
 * Parks the frame of bit i of w->burst with an errand for each destination that
 * left it. False: it can't wait; every such copy is missed.
 */
static bool
park_frame(struct worker *w, struct source *s, unsigned int i, bool sent, uint64_t now)
{
	struct frame *f = &w->burst.frame[i];
	struct dests *d = &w->dests;
	uint64_t bit = UINT64_C(1) << i;
	bool owed = false;
	unsigned int k;
	uint16_t port;
	int slot = park_add(s->park, f, sent, now + w->retry_time);

	for (k = 0; k < d->n; k++) {
		if (!(d->want[k] & ~d->outcome[k].taken & ~d->outcome[k].refused & bit))
			continue;
		port = d->port[k];
		w->burst.cost += COST_PARK;
		/* Without retries a frame waits only for what has not been tried. */
		if (slot >= 0 && (w->retry_time != 0 || d->delay[k] != DELAY_NONE) &&
				park_errand(s->park, slot, port, port_epoch(&w->sw->port[port]),
						held_up(w, s, port, &s->park->slot[slot].frame)))
			owed = true;
		else
			f->reason = miss(w, s, port, f);
	}
	if (f->offload != 0)
		w->burst.cost += COST_HEADERS;
	if (slot >= 0 && !owed)
		park_remove(s->park, slot);
	return owed;
}

/* Whether some destination is to be tried again as soon as possible. */
static bool
is_put_off(const struct dests *d)
{
	unsigned int i;

	for (i = 0; i < d->n; i++)
		if (d->delay[i] == DELAY_PUT_OFF)
			return true;
	return false;
}

/* Parks what found no room. Returns the frames that now wait. */
static uint64_t
park_burst(struct worker *w, struct source *s, uint64_t left, uint64_t sent)
{
	uint64_t now = rte_rdtsc(), waiting = 0;
	unsigned int i;

	if (park_empty(s->park))
		s->park->next_try = now + w->retry_delay;
	if (is_put_off(&w->dests))
		s->park->next_try = now;
	for (; left != 0; left &= left - 1) {
		i = __builtin_ctzll(left);
		if (park_frame(w, s, i, sent >> i & 1, now))
			waiting |= UINT64_C(1) << i;
	}
	s->waiting = !park_empty(s->park);
	return waiting;
}

/*
 * Counts what became of a fresh burst, parks what waits, and gives the rest
 * back. A frame with no destination has its reason since it was routed.
 */
static inline void
settle(struct worker *w, struct source *s)
{
	struct port_count *count = &w->count[s->port];
	struct dests *d = &w->dests;
	struct burst *b = &w->burst;
	uint64_t all = b->n == BURST_MAX ? UINT64_MAX : (UINT64_C(1) << b->n) - 1;
	uint64_t sent = 0, left = 0, lost, bytes = 0;
	unsigned int i, copies = 0;

	for (i = 0; i < d->n; i++) {
		sent |= d->outcome[i].taken;
		copies += __builtin_popcountll(d->outcome[i].taken);
		left |= d->want[i] & ~d->outcome[i].taken & ~d->outcome[i].refused;
		if (unlikely(d->outcome[i].refused != 0))
			count_add(&w->count[d->port[i]].missed,
					__builtin_popcountll(d->outcome[i].refused));
	}
	for (i = 0; i < b->n; i++)
		bytes += b->frame[i].len;
	count_add(&count->received, b->n);
	count_add(&count->received_bytes, bytes);
	count_add(&count->delivered, __builtin_popcountll(sent));
	count_add(&count->flooded, copies - __builtin_popcountll(sent));
	if (unlikely(left != 0))
		left = park_burst(w, s, left, sent);
	for (lost = all & ~sent & ~left; unlikely(lost != 0); lost &= lost - 1)
		count_add(&count->drop[b->frame[__builtin_ctzll(lost)].reason], 1);
	s->ops->retire(s, b->frame, all & ~left, count);
}

/* Whether an errand has to wait for others before it that have just waited in vain. */
static bool
is_behind(struct park *p, const struct errand *e)
{
	uint64_t flows = flow_set_get(&p->blocked, e->port);

	if (flows == 0 || flows == FLOWS_ALL)
		return flows != 0;
	return flows >> flow_of(&p->slot[e->slot].frame) & 1;
}

/*
 * Takes waiting frames into w->burst, oldest first, but none of those that have time and
 * are behind others. Returns where it stopped.
 */
static unsigned int
retry_gather(struct worker *w, struct park *p, unsigned int first, unsigned int n, uint64_t now)
{
	struct burst *b = &w->burst;
	bool behind, gone;
	struct errand *e;
	unsigned int i;
	int last = -1;

	b->n = 0;
	w->dests.n = 0;
	for (i = first; i < n; i++) {
		e = &p->errand[i];
		behind = is_behind(p, e);
		gone = port_epoch(&w->sw->port[e->port]) != e->epoch;
		e->idle = behind && !gone && now < p->slot[e->slot].deadline;
		if (e->idle)
			continue;
		/* Errands of one frame stand side by side. */
		if (e->slot != last) {
			if (b->n == BURST_MAX)
				break;
			last = e->slot;
			b->frame[b->n++] = p->slot[last].frame;
		}
		if (!behind && !gone)
			dests_add(&w->dests, e->port, UINT64_C(1) << (b->n - 1));
	}
	b->cost += b->n * COST_WAIT + (i - first) * COST_ERRAND;
	return i;
}

/*
 * What became of frame i of w->burst at a port; nothing if it was not offered. A port
 * that was put off is noted: who is behind such a frame has as much time as it.
 */
static struct outcome
retry_outcome(const struct dests *d, struct park *p, uint16_t port, unsigned int i)
{
	unsigned int at = d->slot[port];
	uint64_t bit = UINT64_C(1) << i;

	if (at >= d->n || d->port[at] != port || !(d->want[at] & bit))
		return (struct outcome){0, 0};
	if (d->delay[at] == DELAY_PUT_OFF)
		port_set_add(&p->put_off, port);
	return (struct outcome){d->outcome[at].taken & bit, d->outcome[at].refused & bit};
}

/* Whether an errand that found no room has waited long enough. */
static bool
is_late(const struct worker *w, const struct park *p, const struct errand *e, uint64_t now)
{
	uint64_t deadline = p->slot[e->slot].deadline;

	if (port_set_has(&p->put_off, e->port))
		deadline += w->put_off_time;
	return now >= deadline;
}

/* Settles one errand for frame i of w->burst. Returns whether it is done. */
static bool
retry_settle(struct worker *w, struct source *s, const struct errand *e, unsigned int i,
		uint64_t now)
{
	struct parked *f = &s->park->slot[e->slot];
	struct outcome o = retry_outcome(&w->dests, s->park, e->port, i);
	struct port_count *count = &w->count[s->port];
	struct frame *in = &w->burst.frame[i];

	if (o.taken) {
		count_add(f->sent ? &count->flooded : &count->delivered, 1);
		f->sent = true;
		return true;
	}
	if (o.refused) {
		f->frame.reason = in->reason;
		count_add(&w->count[e->port].missed, 1);
	} else if (port_epoch(&w->sw->port[e->port]) != e->epoch) {
		f->frame.reason = DROP_GONE; /* and there is no port to have missed it */
	} else if (is_late(w, s->park, e, now)) {
		f->frame.reason = miss(w, s, e->port, &f->frame);
	} else {
		return false;
	}
	return true;
}

/* Keeps an errand, as the kept-th one; what is for the same flow waits behind it. */
static void
retry_keep(struct worker *w, struct source *s, const struct errand *e, unsigned int kept)
{
	struct park *p = s->park;

	flow_set_add(&p->blocked, e->port, held_up(w, s, e->port, &p->slot[e->slot].frame));
	p->errand[kept] = *e;
}

/*
 * Settles the errands from i to `next`, whose frames were offered. Returns how many are
 * kept by then, `kept` of them before.
 */
static unsigned int
retry_settle_all(struct worker *w, struct source *s, unsigned int i, unsigned int next,
		unsigned int kept, uint64_t now)
{
	struct port_count *count = &w->count[s->port];
	struct park *p = s->park;
	uint64_t done = 0;
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
		if (!retry_settle(w, s, &e, k, now)) {
			retry_keep(w, s, &e, kept++);
		} else if (park_done(p, &e)) {
			if (!p->slot[e.slot].sent)
				count_add(&count->drop[p->slot[e.slot].frame.reason], 1);
			done |= UINT64_C(1) << k;
			park_remove(p, e.slot);
		}
	}
	s->ops->retire(s, w->burst.frame, done, count);
	return kept;
}

/*
 * Offers waiting frames again, as long as the visit may cost more. What a flow found full
 * once stays so for it for this pass, or a later frame might overtake an earlier one.
 */
static void
retry(struct worker *w, struct source *s, uint64_t now)
{
	struct park *p = s->park;
	unsigned int i, next, kept = 0, n = p->nerrands;

	flow_set_clear(&p->blocked);
	port_set_clear(&p->put_off);
	p->next_try = now + w->retry_delay;
	for (i = 0; i < n && w->burst.cost < COST_VISIT_MAX; i = next) {
		next = retry_gather(w, p, i, n, now);
		deliver(w, s, NULL);
		if (is_put_off(&w->dests))
			p->next_try = now;
		kept = retry_settle_all(w, s, i, next, kept, now);
	}
	if (unlikely(i < n))
		p->next_try = now;
	for (; i < n; i++, kept++)
		retry_keep(w, s, &p->errand[i], kept);
	p->nerrands = kept;
	s->waiting = kept != 0;
}

/*
 * Copies to many ports are the work of one visit only as far as it may cost so much. The
 * first frame always is; what its last ports miss then waits for the next visit.
 */
static void
trim(struct worker *w, struct source *s)
{
	struct burst *b = &w->burst;
	struct dests *d = &w->dests;
	uint32_t cost = b->cost + d->n * COST_DEST;
	unsigned int i, k, fan, copies = 0;

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
		d->want[k] &= (UINT64_C(1) << i) - 1;
}

/* Offers again what waits. Returns how many frames may be fetched: as many as could wait. */
static unsigned int
poll_waiting(struct worker *w, struct source *s)
{
	uint64_t now = rte_rdtsc();

	if (now >= s->park->next_try)
		retry(w, s, now);
	return w->burst.cost < COST_VISIT_MAX ? RTE_MIN((unsigned int)BURST_MAX, park_room(s->park))
					      : 0;
}

uint32_t
forward_poll(struct worker *w, struct source *s)
{
	uint64_t signals = w->count[s->port].signals;
	unsigned int max = BURST_MAX;
	struct burst *b = &w->burst;

	b->cost = b->paid = 0;
	b->clock = &w->clock;
	if (unlikely(s->waiting))
		max = poll_waiting(w, s);
	if (likely(max != 0) && s->ops->fetch(s, b, max) != 0) {
		route_burst(w, s, b);
		if (unlikely(w->dests.flood != 0))
			trim(w, s);
		deliver(w, s, s->waiting ? &s->park->blocked : NULL);
		settle(w, s);
		b->cost += COST_VISIT + b->n * COST_FRAME;
	}
	b->cost += (w->count[s->port].signals - signals) * COST_SIGNAL;
	return b->cost - b->paid;
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
