/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest's transmit ring: see tx.h for the contract.
 *
 * Fetching reads all chains of one descriptor that a burst begins with at once (singles.h), then the
 * front of their frames. From the first other chain on it looks at the rest of the burst in three
 * passes (available entries, descriptors, headers), each of which prefetches what the next one reads.
 */
#include <stddef.h>

#include "frame/copy.h"
#include "frame/cost.h"
#include "guest/ahead.h"
#include "guest/in_order.h"
#include "guest/kick.h"
#include "guest/ring.h"
#include "guest/tx.h"
#include "frame/offload.h"
#include "switch/count.h"

/* Returns the bytes of the longest chain that is a valid frame, and no jumbo frame. */
static __rte_always_inline uint32_t
tx_usual_max(const struct virtqueue *vq)
{
	return vq->hdr_len + RTE_MIN((uint32_t)FRAME_PLAIN_MAX, vq->frame_max);
}

/* Notes the unusual cost of a frame. If it is too high no other frame is fetched. */
static void
tx_fetched_much(struct burst *b, uint32_t cost)
{
	b->fetched += cost;
	if (b->fetched >= COST_FETCH_MAX)
		b->frags_max = 0;
}

/*
 * Handles a longer chain. If it is longer than a frame may be, the frame is kept until its
 * virtio-net header was read, which may say that it has to be cut.
 */
static __rte_noinline void
tx_fetch_long(const struct virtqueue *vq, struct burst *b, struct frame *f, uint64_t len)
{
	if (len > vq->hdr_len + vq->frame_max) {
		if (!(vq->offloads & OFFLOAD_GSO) || len > vq->hdr_len + OFFLOAD_FRAME_MAX) {
			frame_lose(f, DROP_LONG);
			return;
		}
		f->reason = DROP_LONG;
	}
	tx_fetched_much(b, COST_BYTES(len));
	rte_prefetch0(f->frag->base);
}

/*
 * Finds the bytes of the frame whose chain is at the cursor. Returns false if the ring is broken.
 * The frame still begins with its virtio-net header.
 */
static __rte_always_inline bool
tx_fetch_chain(struct cursor *at, struct burst *b, struct frame *f, const bool packed)
{
	const struct virtqueue *vq = at->vq;
	struct chain c = {
			.frag = &b->frag[b->nfrags],
			.max = CHAIN_MAX,
			.n = 1,
	};
	enum chain_status status = CHAIN_OK;
	uint32_t cost;

	*c.frag = ring_single(at, 0, 1, packed);
	c.len = c.frag->len;
	if (unlikely(c.frag->base == NULL)) {
		c.n = c.len = 0;
		status = ring_walk(at, false, &c, packed);
		cost = chain_cost(vq->mem, c.looked);
		b->cost += cost;
		tx_fetched_much(b, cost);
	}
	if (unlikely(status == CHAIN_FAULT))
		return false;
	f->id = at->used.id;
	f->ndesc = at->used.ndesc;
	f->reason = DROP_NONE;
	f->flow = 0;
	f->offload = 0;
	f->vnet.flags = 0;
	f->frag = c.frag;
	f->nfrags = c.n;
	f->len = c.len;
	if (unlikely(status == CHAIN_BAD))
		frame_lose(f, DROP_DESCRIPTOR);
	else if (unlikely(c.len < vq->hdr_len + sizeof(f->eth)))
		frame_lose(f, DROP_SHORT);
	else if (unlikely(c.len > tx_usual_max(vq)))
		tx_fetch_long(vq, b, f, c.len);
	else
		rte_prefetch0(c.frag->base);
	b->nfrags += c.n;
	return true;
}

/* Checks what a frame's virtio-net header asks for. */
static void
tx_check_asked(const struct virtqueue *vq, struct burst *b, struct frame *f,
		const struct virtio_net_hdr *asked)
{
	b->cost += COST_HEADERS;
	f->reason = offload_check(f, asked, &b->headers[f - b->frame], vq->offloads, vq->frame_max);
}

/* Removes the virtio-net header and makes the private copy of the Ethernet header. */
static inline void
tx_fetch_headers(const struct virtqueue *vq, struct burst *b, struct frame *f)
{
	struct virtio_net_hdr_mrg_rxbuf vnet;
	struct fragment *p = f->frag;

	if (unlikely(f->nfrags == 0)) /* lost */
		return;
	if (likely(p->len >= sizeof(vnet) + sizeof(f->eth))) {
		memcpy(&vnet, p->base, sizeof(vnet));
		p->base += vq->hdr_len;
		p->len -= vq->hdr_len;
		f->len -= vq->hdr_len;
		memcpy(&f->eth, p->base, sizeof(f->eth));
	} else {
		frame_pull(f, &vnet, vq->hdr_len);
		frame_peek(f, &f->eth, sizeof(f->eth));
	}
	/* The code after this reads the copies, and never again the guest's memory. */
	rte_compiler_barrier();
	if (unlikely(offload_asked(&vnet.hdr)))
		tx_check_asked(vq, b, f, &vnet.hdr);
	if (unlikely(f->reason != DROP_NONE))
		frame_lose(f, f->reason);
}

/* Notes a burst that has to be returned in order; more chains than the ring holds are a fault. */
static void
tx_note_in_order(struct virtqueue *vq, struct burst *b)
{
	struct frame *f;

	for (f = b->frame; f < b->frame + b->n; f++) {
		if (in_order_is_full(vq->in_order)) {
			vq_fault(vq, FAULT_AVAIL_OVERRUN);
			b->n = f - b->frame;
			return;
		}
		f->id = in_order_note(vq->in_order, (struct used_chain){f->id, f->ndesc});
	}
}

/*
 * Handles a frame whose header asks for something, when the frame is set. The header is read again, all
 * of it: the first look at it decided no more than this call.
 */
static __rte_noinline void
tx_fetch_asked(const struct virtqueue *vq, struct burst *b, struct frame *f)
{
	struct virtio_net_hdr asked;

	memcpy(&asked, f->frag->base - vq->hdr_len, sizeof(asked));
	rte_compiler_barrier();
	if (!offload_asked(&asked))
		return;
	b->plain &= ~frame_set_one(f - b->frame);
	tx_check_asked(vq, b, f, &asked);
	if (unlikely(f->reason != DROP_NONE))
		frame_lose(f, f->reason);
}

/* Does the same as tx_set_avx2() without vectors. */
static inline frame_set
tx_set_plain(struct burst *b, const uint16_t *id, unsigned int n, uint32_t skip)
{
	struct virtio_net_hdr vnet;
	frame_set asked = 0;
	struct frame *f;
	unsigned int i;

	for (i = 0; i < n; i++) {
		f = &b->frame[i];
		f->frag = &b->frag[i];
		memcpy(&f->eth, f->frag->base, sizeof(f->eth));
		f->nfrags = 1;
		f->len = f->frag->len;
		f->id = id[i];
		f->ndesc = 1;
		f->reason = DROP_NONE;
		f->flow = 0;
		f->offload = 0;
		f->vnet.flags = 0;
		memcpy(&vnet, f->frag->base - skip, sizeof(vnet));
		if (unlikely(offload_asked(&vnet)))
			asked |= frame_set_one(i);
	}
	return asked;
}

/*
 * Fetches the burst's first frames, as far as their chains are singles of a usual length. The loops have
 * no branch that a usual frame takes, so the CPU works on many frames at once, and their loads wait
 * together: prefetching descriptors and headers, each in a pass of its own, made 64 bytes slower.
 */
static __rte_always_inline unsigned int
tx_fetch_singles(struct cursor *c, struct burst *b, unsigned int max, const bool packed)
{
	const struct virtqueue *vq = c->vq;
	const struct singles usual = {
			.skip = vq->hdr_len,
			.least = vq->hdr_len + TX_SET_LEAST,
			.most = tx_usual_max(vq),
	};
	uint16_t id[BURST_MAX];
	unsigned int i, n = ring_singles(c, &usual, max, b->frag, id, packed);
	frame_set asked = likely(vq->avx2) ? tx_set_avx2(b, id, n, usual.skip)
					   : tx_set_plain(b, id, n, usual.skip);

	/* The code after this reads the copies, and never again the guest's memory. */
	rte_compiler_barrier();
	b->nfrags = n;
	b->plain = frame_set_of(n);
	FRAME_SET_FOREACH(i, asked)
		tx_fetch_asked(vq, b, &b->frame[i]);
	ring_skip(c, n, packed);
	return n;
}

static __rte_always_inline unsigned int
tx_fetch_burst(struct virtqueue *vq, struct burst *b, unsigned int max, const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	unsigned int i, first;

	b->n = b->fetched = 0;
	b->frags_max = BURST_FRAGS - CHAIN_MAX + 1;
	first = tx_fetch_singles(&c, b, max, packed);
	if (unlikely(first < max))
		ring_prefetch_all(&c, max - first, packed);
	for (i = first; i < max && ring_more(&c, packed); i++) {
		if (unlikely(b->nfrags >= b->frags_max))
			break;
		if (unlikely(!tx_fetch_chain(&c, b, &b->frame[i], packed)))
			break;
	}
	b->n = i;
	for (i = first; i < b->n; i++)
		tx_fetch_headers(vq, b, &b->frame[i]);
	ring_take(&c);
	ring_set_bell(vq, packed);
	if (unlikely(vq->in_order != NULL))
		tx_note_in_order(vq, b);
	return b->n;
}

static unsigned int
tx_fetch(struct source *s, struct burst *b, unsigned int max)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);

	if (unlikely(vq->in_order != NULL))
		max = RTE_MIN(max, in_order_room(vq->in_order));
	return vq->packed ? tx_fetch_burst(vq, b, max, true) : tx_fetch_burst(vq, b, max, false);
}

/*
 * Moves the ring's read position back by the frames from `from` on. A hostile guest may have led the burst
 * around a packed ring several times.
 */
static void
tx_unfetch(struct source *s, struct burst *b, unsigned int from)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);
	unsigned int i, at, back = 0;

	for (i = from; i < b->n; i++)
		back += vq->packed ? b->frame[i].ndesc : 1;
	if (unlikely(vq->in_order != NULL))
		vq->in_order->tail -= b->n - from;
	b->n = from;
	for (at = vq->last_avail; vq->packed && back > at; at += vq->size)
		vq->avail_wrap = !vq->avail_wrap;
	vq->last_avail = at - back;
	ring_set_bell(vq, vq->packed);
}

/* Returns the chains of frames that are done. */
static __rte_always_inline void
tx_put_all(struct virtqueue *vq, const struct frame *frame, frame_set done, const bool packed)
{
	const struct frame *f;
	struct used_chain u;
	unsigned int i;

	if (likely(vq->in_order == NULL && frame_set_is_first(done))) {
		ring_put_frames(vq, frame, frame_set_count(done), packed);
		return;
	}
	FRAME_SET_FOREACH(i, done) {
		f = &frame[i];
		if (likely(vq->in_order == NULL))
			ring_put(vq, (struct used_chain){f->id, f->ndesc}, 0, packed);
		else
			in_order_done(vq->in_order, f->id);
	}
	while (unlikely(vq->in_order != NULL) && in_order_next(vq->in_order, &u))
		ring_put(vq, u, 0, packed);
}

static __rte_always_inline bool
tx_retire_all(struct virtqueue *vq, const struct frame *frame, frame_set done, const bool packed)
{
	uint16_t from = vq->last_used;

	tx_put_all(vq, frame, done, packed);
	if (!ring_has_put(vq, from, packed))
		return false; /* none could be returned yet */
	return ring_publish(vq, from, packed);
}

static void
tx_retire(struct source *s, struct frame *frame, frame_set done, struct port_count *count)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);

	if (unlikely(vq_broken(vq) || done == 0))
		return;
	if (vq->packed ? tx_retire_all(vq, frame, done, true)
		       : tx_retire_all(vq, frame, done, false)) {
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
}

/* Nothing in a broken ring is written: its bell may ring, but nobody answers. */
static int
tx_ask(struct source *s)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);

	if (vq_broken(vq))
		return SOURCE_NEVER;
	ring_ask(vq);
	return vq->kickfd >= 0 ? vq->kickfd : SOURCE_NAPS;
}

static void
tx_hush(struct source *s, bool kicked)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);

	if (kicked && vq->kickfd >= 0)
		kick_take(vq->kickfd);
	if (!vq_broken(vq))
		ring_suppress(vq);
}

static bool
tx_is_over(const struct source *s)
{
	return vq_broken(container_of(s, const struct virtqueue, source));
}

static void
tx_ahead(const struct source *s, bool next)
{
	ahead_ring(container_of(s, const struct virtqueue, source), next);
}

const struct source_ops tx_source_ops = {
		.fetch = tx_fetch,
		.unfetch = tx_unfetch,
		.retire = tx_retire,
		.ask = tx_ask,
		.hush = tx_hush,
		.is_over = tx_is_over,
		.ahead = tx_ahead,
};
