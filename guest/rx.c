/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Fills a guest's receive ring.
 *
 * Any worker may do it: the ring's lock is taken once a burst and held while it copies; a ring that
 * another worker fills is left for a later visit. The order of a burst is kept: filling ends at the
 * first frame that finds no room. Nothing is written outside of the buffers that the guest offered,
 * and nothing is visible to it before ring_publish().
 *
 * The chains that a guest offers decide how many descriptors are read before a frame finds room,
 * which takes time from others. So this work is counted (cost.h) and bounded for each frame and
 * each visit, and a search that failed is not repeated (struct room_known). For chains that are
 * longer than any driver needs the receiver is charged (charge()).
 */
#include "frame/copy.h"
#include "frame/cost.h"
#include "frame/gso.h"
#include "switch/share.h"
#include "guest/rx.h"
#include "guest/ring.h"
#include "switch/count.h"

/*
 * Most receive buffers that one frame may take: 9,000 bytes in buffers of 128, 64 KiB in buffers of
 * 1 KiB. A guest that offers smaller ones loses its longest frames.
 */
#define RX_BUFFERS_MAX 80

/*
 * Most descriptors that are read to find room for one frame: two chains of the greatest length,
 * each with an indirect table. Linux needs 19 a chain, which is 836 for 64 KiB that are cut into
 * frames of 1,500 bytes.
 */
#define RX_LOOK_MAX (4 * CHAIN_MAX)

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
struct room {
	unsigned int n; /* number of chains */
	struct used_chain used[RX_BUFFERS_MAX];
	uint32_t len[RX_BUFFERS_MAX]; /* bytes that each chain holds */
	struct chain chain;           /* fragments of all chains, in order */
	struct fragment frag[CHAIN_MAX];
};

enum room_status {
	ROOM_OK,
	ROOM_NONE,   /* there are not enough buffers now */
	ROOM_SPOILT, /* the last chain can't be used */
	ROOM_NEVER,  /* the frame can never be taken: it is refused, with *reason */
};

/* Work that was done for a burst; it is counted after the ring's lock was released. */
struct tally {
	uint64_t bytes, checksums, segments;
	uint64_t frags; /* fragments beyond the first of each frame */
};

/*
 * Counts a chain that was returned at used position `from`, as no frame fits into it. If chains
 * with frames were put in between, the count begins again.
 */
static void
count_useless(struct virtqueue *vq, uint16_t from)
{
	if (vq->useless_at != from)
		vq->useless = 0;
	vq->useless_at = vq->last_used;
	if (++vq->useless == RX_USELESS_MAX)
		vq_fault(vq, FAULT_RX_USELESS);
}

/* Returns the chains of a room, which are the next ones, unused: the last one can't be used. */
static enum room_status
give_back(struct virtqueue *vq, const struct room *r, const struct cursor *c,
		enum drop_reason *reason, const bool packed)
{
	uint16_t from = vq->last_used;
	unsigned int i;

	for (i = 0; i < r->n; i++)
		ring_put(vq, r->used[i], 0, packed);
	ring_take(vq, c);
	count_useless(vq, from);
	*reason = DROP_RX_DESCRIPTOR;
	return ROOM_NEVER;
}

/* Returns the next `n` chains unused, which were for several frames, and reads them again. */
static enum room_status
give_back_all(struct virtqueue *vq, struct burst *b, unsigned int n, enum drop_reason *reason,
		const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	uint16_t from = vq->last_used;
	struct fragment frag[CHAIN_MAX];
	struct used_chain u;
	struct chain chain;

	for (; n > 0 && ring_more(vq, &c, packed); n--) {
		chain = (struct chain){.frag = frag, .max = CHAIN_MAX};
		if (ring_walk(vq, &c, true, &chain, &u, packed) == CHAIN_FAULT)
			return ROOM_NONE;
		b->cost += chain.looked * COST_DESC;
		ring_put(vq, u, 0, packed);
		ring_take(vq, &c);
	}
	count_useless(vq, from);
	*reason = DROP_RX_DESCRIPTOR;
	return ROOM_NEVER;
}

/* Returns true if a chain of so many bytes can be used for a frame, as its first or a later one. */
static inline bool
is_useful(const struct virtqueue *vq, uint32_t len, bool first)
{
	if (!vq->mergeable)
		return len >= vq->hdr_len + sizeof(struct rte_ether_hdr);
	/* The header must fit into the first chain. */
	return first ? len >= vq->hdr_len : len != 0;
}

/*
 * Gathers chains for `need` bytes (virtio-net header and frame) from the cursor on, without taking
 * them.
 */
static __rte_always_inline enum room_status
room_find(struct virtqueue *vq, struct cursor *c, uint32_t need, struct room *r,
		enum drop_reason *reason, const bool packed)
{
	unsigned int limit = vq->mergeable ? RX_BUFFERS_MAX : 1;
	enum chain_status status;
	uint64_t before;

	r->n = 0;
	r->chain = (struct chain){.frag = r->frag, .max = CHAIN_MAX};
	do {
		if (unlikely(r->n == limit || r->chain.looked > RX_LOOK_MAX / 2)) {
			*reason = DROP_TOO_BIG;
			return ROOM_NEVER;
		}
		if (!ring_more(vq, c, packed))
			return ROOM_NONE;
		before = r->chain.len;
		status = ring_walk(vq, c, true, &r->chain, &r->used[r->n], packed);
		if (unlikely(status == CHAIN_FAULT))
			return ROOM_NONE;
		r->len[r->n++] = r->chain.len - before;
		if (unlikely(status == CHAIN_BAD || !is_useful(vq, r->len[r->n - 1], r->n == 1)))
			return ROOM_SPOILT;
	} while (r->chain.len < need);
	return ROOM_OK;
}

/*
 * Returns true, and sets *status, if there is known to be no room for `need` bytes: a search at the
 * same position failed, and no chain has come since.
 */
static bool
is_known(const struct virtqueue *vq, const struct cursor *c, uint32_t need,
		enum room_status *status, enum drop_reason *reason, const bool packed)
{
	const struct room_known *k = &vq->known;
	const struct cursor end = {.at = k->end, .end = c->end, .wrap = k->end_wrap};

	if (!k->valid || k->at != c->at || k->wrap != c->wrap || need <= k->bytes ||
			(!k->never && ring_more(vq, &end, packed)))
		return false;
	*status = k->never ? ROOM_NEVER : ROOM_NONE;
	*reason = DROP_TOO_BIG;
	return true;
}

/* Notes that a search from `from` to `to` failed. */
static void
note_known(struct virtqueue *vq, const struct cursor *from, const struct cursor *to,
		const struct room *r, enum room_status status)
{
	vq->known = (struct room_known){
			.valid = true,
			.never = status == ROOM_NEVER,
			.at = from->at,
			.wrap = from->wrap,
			.end = to->at,
			.end_wrap = to->wrap,
			.bytes = r->chain.len,
	};
}

/*
 * Returns true if room may be looked for in chains: not if the visit has cost enough, and not while
 * a guest whose chains are longer than any driver needs has used up its share.
 */
static inline bool
may_look(const struct virtqueue *vq, struct burst *b)
{
	if (unlikely(b->cost >= COST_VISIT_MAX)) {
		b->put_off = true;
		return false;
	}
	return likely(!vq->longwinded) || b->receiver == NULL || share_may(b->clock, b->receiver);
}

/* Charges the search in `chains` chains to the visit, and for what is too much to the receiver. */
static void
charge(struct virtqueue *vq, struct burst *b, const struct chain *c, unsigned int chains)
{
	uint32_t cost = c->looked * COST_DESC, most = (chains + 1) * RX_CHAIN_FREE * COST_DESC;

	b->cost += cost;
	vq->longwinded = cost > most;
	if (likely(!vq->longwinded) || b->receiver == NULL)
		return;
	b->paid += cost - most;
	share_charge(b->clock, b->receiver, cost - most);
}

/*
 * Writes the header of a frame with offloads or flags; flags are only for a guest that takes them.
 */
static __rte_noinline void
put_offload(const struct virtqueue *vq, uint8_t *to, const struct frame *f)
{
	struct virtio_net_hdr vnet = f->vnet;

	if (!(vq->offloads & OFFLOAD_CSUM))
		vnet.flags = 0;
	memcpy(to, &vnet, sizeof(vnet));
}

/*
 * Writes the virtio-net header: zeroes for most frames, and the number of buffers (virtio 1.2
 * section 5.1.6.4), which the short header lacks.
 */
static inline void
put_header(const struct virtqueue *vq, uint8_t *to, const struct frame *f, uint16_t nheads,
		bool plain)
{
	const uint64_t zero = 0;

	if (likely(plain)) {
		memcpy(to, &zero, 8);
		memcpy(to + 8, &zero, 2);
	} else {
		put_offload(vq, to, f);
	}
	if (likely(vq->hdr_len > sizeof(struct virtio_net_hdr)))
		memcpy(to + 10, &nheads, 2);
}

/*
 * The common case: the next entry is one descriptor that takes the frame. Returns false, and does
 * nothing, in any other case.
 */
static __rte_always_inline bool
fill_single(struct virtqueue *vq, struct cursor *c, const struct frame *f, const bool plain,
		const bool packed)
{
	uint32_t need = vq->hdr_len + f->len, len;
	struct used_chain u;
	uint8_t *to = ring_single(vq, c, VRING_DESC_F_WRITE, need, &len, &u, packed);

	if (unlikely(to == NULL))
		return false;
	put_header(vq, to, f, 1, plain);
	if (plain)
		frame_copy_plain(to + vq->hdr_len, f);
	else
		frame_copy(to + vq->hdr_len, f);
	if (unlikely(vq_logging(vq)))
		dirty_write(vq->mem, to, need);
	ring_put(vq, u, need, packed);
	ring_take(vq, c);
	return true;
}

/* Writes header and frame into the room, and returns its chains as used. */
static __rte_always_inline void
room_fill(struct virtqueue *vq, struct room *r, const struct cursor *c, const struct frame *f,
		const bool packed)
{
	uint8_t vnet[HDR_MAX];
	struct fragment header = {.base = vnet, .len = vq->hdr_len};
	struct fragment front = frame_front(f);
	uint32_t left = vq->hdr_len + f->len, n;
	unsigned int i;

	put_header(vq, vnet, f, r->n, f->vnet.flags == 0);
	frags_copy(r->frag, 0, &header, header.len);
	frags_copy(r->frag, vq->hdr_len, f->frag, f->len);
	frags_copy(r->frag, vq->hdr_len, &front, front.len);
	if (unlikely(vq_logging(vq)))
		dirty_frags(vq->mem, r->frag, left);
	for (i = 0; i < r->n; i++) {
		n = RTE_MIN(left, r->len[i]);
		ring_put(vq, r->used[i], n, packed);
		left -= n;
	}
	ring_take(vq, c);
}

/* Prefetches descriptors and bytes for the frames after this one. */
static __rte_always_inline void
look_ahead(const struct virtqueue *vq, const struct cursor *c, struct burst *b, frame_set want,
		const bool packed)
{
	frame_set next = frame_set_tail(frame_set_tail(want));

	if (next != 0)
		frame_prefetch(&b->frame[frame_set_first(next)]);
	ring_prefetch(vq, c, 4, packed);
}

/* Finds room for a frame in several buffers, or the reason why there is none. */
static enum room_status
fill_found(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		enum drop_reason *reason, const bool packed)
{
	enum room_status status;
	struct cursor at = *c;
	struct room r;

	status = room_find(vq, &at, vq->hdr_len + f->len, &r, reason, packed);
	charge(vq, b, &r.chain, r.n);
	if (status == ROOM_OK)
		room_fill(vq, &r, &at, f, packed);
	else if (status == ROOM_SPOILT)
		status = give_back(vq, &r, &at, reason, packed);
	else
		note_known(vq, c, &at, &r, status);
	/* Without room no chain is taken, except those that can't be used. */
	c->at = vq->last_avail;
	c->wrap = vq->avail_wrap;
	return status;
}

/* Finds room for a frame, if it may be looked for. */
static __rte_noinline enum room_status
fill_chains(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		enum drop_reason *reason, const bool packed)
{
	enum room_status status = ROOM_NONE;

	if (is_known(vq, c, vq->hdr_len + f->len, &status, reason, packed) || !may_look(vq, b))
		return status;
	return fill_found(vq, c, b, f, reason, packed);
}

/*
 * Checks that all segments of a frame find room: a segment that was put into a ring can't be taken
 * out again.
 */
static enum room_status
find_all(struct virtqueue *vq, struct burst *b, const struct gso *gso, enum drop_reason *reason,
		const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	enum room_status status = ROOM_OK;
	unsigned int i, chains = 0, looked = 0;
	struct room r;

	if (gso->n > vq->size) {
		*reason = DROP_TOO_BIG;
		return ROOM_NEVER;
	}
	if (!may_look(vq, b))
		return ROOM_NONE;
	for (i = 0; i < gso->n && status == ROOM_OK; i++) {
		if (looked > RX_LOOK_MAX) {
			*reason = DROP_TOO_BIG;
			return ROOM_NEVER;
		}
		status = room_find(vq, &c, vq->hdr_len + gso_len(gso, i), &r, reason, packed);
		looked += r.chain.looked;
		chains += r.n;
		charge(vq, b, &r.chain, r.n);
	}
	return status == ROOM_SPOILT ? give_back_all(vq, b, chains, reason, packed) : status;
}

/* Puts one frame into the next buffers. `plain`: without offloads and flags. */
static __rte_always_inline enum room_status
fill_one(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		enum drop_reason *reason, const bool plain, const bool packed)
{
	if (likely(fill_single(vq, c, f, plain, packed)))
		return ROOM_OK;
	return fill_chains(vq, c, b, f, reason, packed);
}

/* Puts one segment of a frame into the ring, which has room for all of them. */
static inline enum room_status
fill_part(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		enum drop_reason *reason, const bool packed)
{
	if (likely(fill_single(vq, c, f, false, packed)))
		return ROOM_OK;
	return fill_found(vq, c, b, f, reason, packed);
}

/* Puts a frame into the ring whose offloads the guest does not do itself. */
static __rte_noinline enum room_status
fill_finished(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		struct tally *t, enum drop_reason *reason, const bool packed)
{
	enum room_status status = ROOM_OK;
	const struct frame *part;
	struct gso gso;

	gso_begin(&gso, f, vq->offloads);
	if (gso.n > 1)
		status = find_all(vq, b, &gso, reason, packed);
	c->at = vq->last_avail;
	c->wrap = vq->avail_wrap;
	while (status == ROOM_OK && (part = gso_next(&gso)) != NULL)
		status = gso.n > 1 ? fill_part(vq, c, b, part, reason, packed)
				   : fill_one(vq, c, b, part, reason, false, packed);
	if (unlikely(status == ROOM_NONE && gso.i > 1)) {
		/* The guest has changed descriptors that were valid a moment ago. */
		*reason = DROP_RX_DESCRIPTOR;
		return ROOM_NEVER;
	}
	if (status != ROOM_OK)
		return status;
	b->cost += gso.n * COST_PART + COST_SUM(f->len);
	if (gso.n > 1)
		t->segments += gso.n;
	if (!gso.partial)
		t->checksums += gso.n;
	return ROOM_OK;
}

/* Puts a frame with offloads or flags into the ring. */
static __rte_noinline enum room_status
fill_offload(struct virtqueue *vq, struct cursor *c, struct burst *b, const struct frame *f,
		struct tally *t, enum drop_reason *reason, const bool packed)
{
	if ((f->offload & ~vq->offloads) != 0)
		return fill_finished(vq, c, b, f, t, reason, packed);
	return fill_one(vq, c, b, f, reason, false, packed);
}

static __rte_always_inline struct outcome
fill_ring(struct virtqueue *vq, struct burst *b, frame_set want, struct tally *t, const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	struct outcome o = {0, 0};
	enum room_status status;
	enum drop_reason reason;
	struct frame *f;
	frame_set one;

	for (; want != 0 && ring_more(vq, &c, packed); want = frame_set_tail(want)) {
		f = &b->frame[frame_set_first(want)];
		one = frame_set_head(want);
		look_ahead(vq, &c, b, want, packed);
		if (unlikely(f->offload != 0 || f->vnet.flags != 0))
			status = fill_offload(vq, &c, b, f, t, &reason, packed);
		else
			status = fill_one(vq, &c, b, f, &reason, true, packed);
		if (unlikely(status == ROOM_NONE))
			break;
		if (unlikely(status == ROOM_NEVER)) {
			f->reason = reason;
			o.refused |= one;
			continue;
		}
		o.taken |= one;
		t->bytes += f->len;
		if (unlikely(f->nfrags > 1))
			t->frags += f->nfrags - 1;
	}
	return o;
}

/* Fills and publishes. Returns true if the guest is to be signalled. */
static __rte_always_inline bool
deliver(struct virtqueue *vq, struct burst *b, frame_set want, struct tally *t, struct outcome *o,
		const bool packed)
{
	uint16_t from = vq->last_used;

	*o = fill_ring(vq, b, want, t, packed);
	if (!ring_has_put(vq, from, packed) || vq_broken(vq))
		return false;
	return ring_publish(vq, from, packed);
}

struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, frame_set want, struct port_count *count)
{
	struct tally t = {0};
	struct outcome o;
	unsigned int n;
	bool signal;

	if (unlikely(!rte_spinlock_trylock(&vq->lock))) {
		b->put_off = true;
		return (struct outcome){0, 0};
	}
	signal = vq->packed ? deliver(vq, b, want, &t, &o, true)
			    : deliver(vq, b, want, &t, &o, false);
	if (unlikely(vq->known.valid) && o.taken != 0)
		vq->known.valid = false;
	rte_spinlock_unlock(&vq->lock);

	b->cost += COST_DEST;
	if (o.taken != 0) {
		n = frame_set_count(o.taken);
		b->cost += COST_BYTES(t.bytes) + (n + t.frags) * COST_COPY;
		count_add(&count->sent, n);
		count_add(&count->sent_bytes, t.bytes);
	}
	if (unlikely(t.checksums + t.segments != 0)) {
		count_add(&count->checksums, t.checksums);
		count_add(&count->segments, t.segments);
	}
	if (signal) {
		b->cost += COST_SIGNAL;
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
	return o;
}
