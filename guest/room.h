/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds room for a frame in a guest's receive ring: the chains that it is copied into.
 *
 * The chains that a guest offers decide how many descriptors are read before a frame finds room,
 * which takes time from others. So this work is counted (cost.h) and bounded for each frame and
 * each visit, and a search that failed is not repeated (struct room_known). For chains that are
 * longer than any driver needs the receiver is charged (room_charge()).
 *
 * Used by fill.h only, while the worker holds the ring's lock.
 */
#ifndef GUEST_ROOM_H
#define GUEST_ROOM_H

#include "frame/cost.h"
#include "guest/ring.h"
#include "switch/burst.h"
#include "switch/share.h"

/*
 * Most receive buffers that one frame may take: 9,000 bytes in buffers of 128, 64 KiB in buffers of
 * 1 KiB. A guest that offers smaller ones loses its longest frames.
 */
#define RX_BUFFERS_MAX 80

/*
 * Most descriptors that are read to find room for one frame, or for all segments that it is cut into: two
 * chains of the greatest length, each with an indirect table. Linux needs 19 a chain, which is 836 for 64 KiB
 * that are cut into frames of 1,500 bytes.
 */
#define RX_LOOK_MAX (4 * CHAIN_MAX)

/* After so many no further chain is read: it may have as many as are left. */
#define RX_LOOK_STOP (RX_LOOK_MAX / 2)

/*
 * Descriptors of a chain for which the sender of the frame is charged: the header and the fragments
 * of a Linux socket buffer, and some more. The receiver is charged for further ones.
 */
#define RX_CHAIN_FREE 32

/*
 * After so many chains in a row that can take no frame at all, the device is stopped: as many as
 * most rings hold. A driver that makes such an error now and then is not stopped.
 */
#define RX_USELESS_MAX 256

/* The room for a frame: one chain, or with mergeable buffers several. */
struct rx_room {
	unsigned int n; /* number of chains */
	struct used_chain used[RX_BUFFERS_MAX];
	uint32_t len[RX_BUFFERS_MAX]; /* bytes that each chain holds */
	uint32_t before;    /* descriptors that were read for earlier segments of the same frame */
	struct chain chain; /* fragments of all chains, in order */
	struct fragment frag[CHAIN_MAX];
};

/*
 * Counts a chain that was returned at used position `from`, as no frame fits into it. If chains
 * with frames were put in between, the count begins again.
 */
static void
room_count_useless(struct virtqueue *vq, uint16_t from)
{
	if (vq->useless_at != from)
		vq->useless = 0;
	vq->useless_at = vq->last_used;
	if (++vq->useless == RX_USELESS_MAX)
		vq_fault(vq, FAULT_RX_USELESS);
}

/*
 * Returns n chains, which are the next ones up to the cursor, unused: the last one can't be used. None of
 * them is read again, as the guest may have made them longer.
 */
static void
room_give_back(const struct cursor *end, const struct used_chain *used, unsigned int n,
		const bool packed)
{
	struct virtqueue *vq = end->vq;
	uint16_t from = vq->last_used;
	unsigned int i;

	for (i = 0; i < n; i++)
		ring_put(vq, used[i], 0, packed);
	ring_take(end);
	room_count_useless(vq, from);
}

/* Returns true if a chain of so many bytes can be used for a frame, as its first or a later one. */
static inline bool
room_is_useful(const struct virtqueue *vq, uint32_t len, bool first)
{
	if (!vq->mergeable)
		return len >= vq->hdr_len + sizeof(struct rte_ether_hdr);
	/* The header must fit into the first chain. */
	return first ? len >= vq->hdr_len : len != 0;
}

/*
 * Gathers chains for `need` bytes (virtio-net header and frame) from the cursor on, without taking
 * them. After CHAIN_BAD the last of them can't be used. `looked`: see r->before.
 */
static __rte_always_inline enum chain_status
room_find(struct cursor *c, uint32_t need, uint32_t looked, struct rx_room *r, const bool packed)
{
	unsigned int limit = c->vq->mergeable ? RX_BUFFERS_MAX : 1;
	enum chain_status status;
	uint64_t before;

	r->n = 0;
	r->before = looked;
	r->chain = (struct chain){.frag = r->frag, .max = CHAIN_MAX, .looked = looked};
	do {
		if (unlikely(r->n == limit || r->chain.looked > RX_LOOK_STOP))
			return CHAIN_TOO_MANY;
		if (!ring_more(c, packed))
			return CHAIN_NONE;
		before = r->chain.len;
		status = ring_walk(c, true, &r->chain, packed);
		if (unlikely(status == CHAIN_FAULT))
			return CHAIN_FAULT;
		r->used[r->n] = c->used;
		r->len[r->n++] = r->chain.len - before;
		if (unlikely(status == CHAIN_BAD ||
				    !room_is_useful(c->vq, r->len[r->n - 1], r->n == 1)))
			return CHAIN_BAD;
	} while (r->chain.len < need);
	return CHAIN_OK;
}

/*
 * Returns the result of a search for `need` bytes if it is known: a search at the same position
 * failed, and no chain has come since. Returns CHAIN_OK if it is not known.
 */
static enum chain_status
room_known(const struct cursor *c, uint32_t need, const bool packed)
{
	const struct room_known *k = &c->vq->known;
	struct cursor end = *c;

	end.at = k->end;
	end.wrap = k->end_wrap;
	if (!k->valid || k->at != c->at || k->wrap != c->wrap || need <= k->bytes ||
			(!k->never && ring_more(&end, packed)))
		return CHAIN_OK;
	return k->never ? CHAIN_TOO_MANY : CHAIN_NONE;
}

/* Notes that a search from `from` to `to` failed. */
static void
room_note(const struct cursor *from, const struct cursor *to, const struct rx_room *r,
		enum chain_status status)
{
	from->vq->known = (struct room_known){
			.valid = true,
			.never = status == CHAIN_TOO_MANY,
			.at = from->at,
			.wrap = from->wrap,
			.end = to->at,
			.end_wrap = to->wrap,
			.bytes = r->chain.len,
	};
}

/*
 * Returns true if room may be looked for in chains: not if the visit has cost enough, and not while
 * a guest whose chains are longer than any driver needs has used up its share. Short chains between the
 * long ones do not end that: only the account does, which each worker has of its own.
 */
static inline bool
room_may_look(struct burst *b)
{
	struct share *receiver = b->receiver;

	if (unlikely(b->cost >= COST_VISIT_MAX)) {
		b->put_off = true;
		return false;
	}
	if (likely(receiver == NULL || !receiver->long_chains))
		return true;
	if (!share_may(b->clock, receiver))
		return false;
	receiver->long_chains = false;
	return true;
}

/* Charges a search to the visit, and for what is too much to the receiver. */
static void
room_charge(struct burst *b, const struct guest_mem *mem, const struct rx_room *r)
{
	uint32_t cost = chain_cost(mem, r->chain.looked - r->before);
	uint32_t most = (r->n + 1) * RX_CHAIN_FREE * COST_DESC;

	b->cost += cost;
	if (likely(cost <= most) || b->receiver == NULL)
		return;
	b->receiver->long_chains = true;
	b->paid += cost - most;
	share_charge(b->clock, b->receiver, cost - most);
}

/*
 * Touches the pages of room that was found, in a visit that is examined. Returns false if that takes long; then
 * the frame is put off.
 */
static inline bool
room_touch(struct burst *b, const struct rx_room *r)
{
	if (likely(!b->touch.on))
		return true;
	b->cost += r->chain.n * COST_TOUCH;
	if (burst_touch(b, r->frag, r->chain.n))
		return true;
	b->put_off = true;
	return false;
}

#endif /* GUEST_ROOM_H */
