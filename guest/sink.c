/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Chooses a receive ring: see sink.h for the contract. */
#include "frame/flow.h"
#include "guest/ahead.h"
#include "guest/rx.h"
#include "guest/sink.h"
#include "guest/virtqueue.h"
#include "switch/lane.h"
#include "switch/source.h"

static inline const struct rx_set *
guest_sink_set_of(const struct sink *k)
{
	return container_of(k, struct rx_set, sink);
}

/*
 * Receive rings are filled by queue pair if the sender has a transmit ring for each of them. Then
 * frames that its driver put into one ring stay together, no header is read, and workers that poll
 * its different rings fill different ones. Otherwise each flow has its ring.
 */
static inline bool
guest_sink_by_flow(const struct sink *k, const struct lane *l, const struct source *from)
{
	const struct rx_set *rx = guest_sink_set_of(k);

	return rx->n != 1 && load_relaxed(&l->shared.ports->port[from->port].tx_rings) < rx->n;
}

static inline struct virtqueue *
guest_sink_ring_of_pair(const struct rx_set *rx, const struct source *from)
{
	uint16_t i = from->pair;

	while (unlikely(i >= rx->n)) /* from->pair % rx->n, without a division */
		i -= rx->n;
	return rx->vq[i];
}

/* Refuses frames: the guest was stopped for breaking the rules. */
static struct outcome
guest_sink_refuse(struct burst *b, frame_set frames)
{
	unsigned int i;

	FRAME_SET_FOREACH(i, frames)
		b->frame[i].reason = DROP_GONE;
	return (struct outcome){.refused = frames};
}

/* Offers frames to one receive ring. */
static inline struct outcome
guest_sink_fill(struct virtqueue *vq, struct lane *l, uint16_t slot, frame_set want)
{
	if (unlikely(vq == NULL)) /* paused: it is back in a moment */
		return (struct outcome){0, 0};
	if (unlikely(vq_broken(vq)))
		return guest_sink_refuse(&l->burst, want);
	return rx_deliver(vq, &l->burst, want, &l->count[slot]);
}

/* Offers each frame to the ring of its flow. */
static __rte_noinline struct outcome
guest_sink_fill_by_flow(const struct rx_set *rx, struct lane *l, frame_set want)
{
	frame_set part[QUEUE_PAIRS_MAX] = {0};
	struct outcome all = {0, 0}, one;
	unsigned int i;

	FRAME_SET_FOREACH(i, want)
		part[flow_ring(&l->burst.frame[i], rx->n)] |= frame_set_one(i);
	for (i = 0; i < rx->n; i++) {
		if (part[i] == 0)
			continue;
		one = guest_sink_fill(rx->vq[i], l, rx->slot, part[i]);
		all.taken |= one.taken;
		all.refused |= one.refused;
	}
	return all;
}

static struct outcome
guest_sink_deliver(struct sink *k, struct lane *l, const struct source *from, frame_set want)
{
	const struct rx_set *rx = guest_sink_set_of(k);

	l->burst.receiver = &l->polled[rx->slot].share;
	if (unlikely(guest_sink_by_flow(k, l, from)))
		return guest_sink_fill_by_flow(rx, l, want);
	return guest_sink_fill(guest_sink_ring_of_pair(rx, from), l, rx->slot, want);
}

/* Without a ring the guest is gone, or paused for longer than a frame waits. */
static enum drop_reason
guest_sink_why_not(const struct sink *k, const struct lane *l, const struct source *from,
		struct frame *f)
{
	const struct rx_set *rx = guest_sink_set_of(k);
	const struct virtqueue *vq = guest_sink_by_flow(k, l, from)
			? rx->vq[flow_ring(f, rx->n)]
			: guest_sink_ring_of_pair(rx, from);

	return vq == NULL ? DROP_GONE : DROP_RING_FULL;
}

/* Returns false after the guest was stopped for breaking the rules, which its first ring tells. */
static bool
guest_sink_is_open(const struct sink *k)
{
	const struct virtqueue *first = guest_sink_set_of(k)->vq[0];

	return first == NULL || !vq_broken(first);
}

/* By flows, one ring is as likely as the other. */
static void
guest_sink_ahead(const struct sink *k, const struct source *from, bool next)
{
	const struct virtqueue *vq = guest_sink_ring_of_pair(guest_sink_set_of(k), from);

	if (vq != NULL)
		ahead_ring(vq, next);
}

const struct sink_ops guest_sink_ops = {
		.deliver = guest_sink_deliver,
		.why_not = guest_sink_why_not,
		.by_flow = guest_sink_by_flow,
		.is_open = guest_sink_is_open,
		.ahead = guest_sink_ahead,
};
