/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Filling a guest's receive ring.
 *
 * Any worker may do it: the ring's lock is taken once a burst and held while it
 * copies. The order of a burst is kept: the first frame that finds no room ends
 * it. Nothing is written outside of the buffers that the guest offered, and
 * nothing is visible to it before ring_publish().
 */
#include "forward/copy.h"
#include "forward/finish.h"
#include "guest/rx.h"
#include "guest/ring.h"
#include "run/stats.h"

/*
 * Receive buffers that one frame may take: 9,000 bytes in buffers of 128, 64 KiB in
 * buffers of 1 KiB. A guest that offers smaller ones loses its longest frames.
 */
#define RX_BUFFERS_MAX 80

/* What a frame is copied into: one chain, or with mergeable buffers several. */
struct room {
	unsigned int n; /* of them */
	struct used_chain used[RX_BUFFERS_MAX];
	uint32_t len[RX_BUFFERS_MAX]; /* bytes that each one holds */
	struct chain chain;           /* all of them, one after the other */
	struct piece piece[CHAIN_MAX];
};

enum room_status {
	ROOM_OK,
	ROOM_NONE,   /* not enough buffers now */
	ROOM_SPOILT, /* the last chain of them can't be used */
	ROOM_NEVER,  /* the frame can't be taken: refused, with *reason */
};

/* What was done for a burst, to be counted when the ring's lock is free again. */
struct tally {
	uint64_t bytes, checksums, segments;
};

/* Gives `n` chains at the front back unused: their buffers are no good. */
static __rte_noinline enum room_status
give_back(struct virtqueue *vq, unsigned int n, enum drop_reason *reason, const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	struct piece piece[CHAIN_MAX];
	struct used_chain u;
	struct chain chain;

	for (; n > 0 && ring_more(vq, &c, packed); n--) {
		chain = (struct chain){.piece = piece, .max = CHAIN_MAX};
		if (ring_walk(vq, &c, true, &chain, &u, packed) == CHAIN_FAULT)
			return ROOM_NONE;
		ring_put(vq, u, 0, packed);
		ring_take(vq, &c);
	}
	*reason = DROP_RX_DESCRIPTOR;
	return ROOM_NEVER;
}

/*
 * Gathers chains for `need` bytes (virtio-net header and frame) from the cursor on;
 * takes none of them yet.
 */
static __rte_always_inline enum room_status
room_find(struct virtqueue *vq, struct cursor *c, uint32_t need, struct room *r,
		enum drop_reason *reason, const bool packed)
{
	unsigned int limit = vq->mergeable ? RX_BUFFERS_MAX : 1;
	enum chain_status status;
	uint64_t before;

	r->n = 0;
	r->chain = (struct chain){.piece = r->piece, .max = CHAIN_MAX};
	do {
		if (unlikely(r->n == limit)) {
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
		/* The header goes into the first chain: it must fit there. */
		if (unlikely(status == CHAIN_BAD || r->len[0] < vq->hdr_len))
			return ROOM_SPOILT;
	} while (r->chain.len < need);
	return ROOM_OK;
}

/* The header of a frame that has something to tell; flags are for a guest that takes them. */
static __rte_noinline void
put_offload(const struct virtqueue *vq, uint8_t *to, const struct frame *f)
{
	struct virtio_net_hdr vnet = f->vnet;

	if (!(vq->offloads & OFFLOAD_CSUM))
		vnet.flags = 0;
	memcpy(to, &vnet, sizeof(vnet));
}

/*
 * Writes the virtio-net header: all zeroes for most frames, and the number of buffers
 * (virtio 1.2 section 5.1.6.4), which the short header lacks.
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
 * The common case: the next entry is one descriptor that takes the frame. False:
 * it is not so simple, and nothing was done.
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
	if (unlikely(vq->logging))
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
	struct piece header = {.base = vnet, .len = vq->hdr_len};
	struct piece front = frame_front(f);
	uint32_t left = vq->hdr_len + f->len, n;
	unsigned int i;

	put_header(vq, vnet, f, r->n, f->vnet.flags == 0);
	pieces_copy(r->piece, 0, &header, header.len);
	pieces_copy(r->piece, vq->hdr_len, f->piece, f->len);
	pieces_copy(r->piece, vq->hdr_len, &front, front.len);
	if (unlikely(vq->logging))
		dirty_pieces(vq->mem, r->piece, left);
	for (i = 0; i < r->n; i++) {
		n = RTE_MIN(left, r->len[i]);
		ring_put(vq, r->used[i], n, packed);
		left -= n;
	}
	ring_take(vq, c);
}

/* The frames after this one: their descriptors and bytes are fetched ahead. */
static __rte_always_inline void
look_ahead(const struct virtqueue *vq, const struct cursor *c, struct burst *b, uint64_t want,
		const bool packed)
{
	uint64_t next = want & (want - 1);

	next &= next - 1;
	if (next != 0)
		frame_prefetch(&b->frame[__builtin_ctzll(next)]);
	ring_prefetch(vq, c, 4, packed);
}

/* Finds room for a frame of several buffers, or for a reason to have none. */
static __rte_noinline enum room_status
fill_chains(struct virtqueue *vq, struct cursor *c, const struct frame *f, enum drop_reason *reason,
		const bool packed)
{
	enum room_status status;
	struct cursor at = *c;
	struct room r;

	status = room_find(vq, &at, vq->hdr_len + f->len, &r, reason, packed);
	if (status == ROOM_OK)
		room_fill(vq, &r, &at, f, packed);
	else if (status == ROOM_SPOILT)
		status = give_back(vq, r.n, reason, packed);
	/* Without room the chains stay where they are; but for spoilt ones. */
	c->at = vq->last_avail;
	c->wrap = vq->avail_wrap;
	return status;
}

/*
 * Whether all frames that one is to be cut into find room: what is put into a ring can't
 * be taken out of it again.
 */
static enum room_status
find_all(struct virtqueue *vq, const struct finish *fin, enum drop_reason *reason,
		const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	enum room_status status = ROOM_OK;
	unsigned int i, chains = 0;
	struct room r;

	if (fin->n > vq->size) {
		*reason = DROP_TOO_BIG;
		return ROOM_NEVER;
	}
	for (i = 0; i < fin->n && status == ROOM_OK; i++) {
		status = room_find(vq, &c, vq->hdr_len + finish_len(fin, i), &r, reason, packed);
		chains += r.n;
	}
	return status == ROOM_SPOILT ? give_back(vq, chains, reason, packed) : status;
}

/* One frame into whatever buffers come next. `plain`: it is no more than its bytes. */
static __rte_always_inline enum room_status
fill_one(struct virtqueue *vq, struct cursor *c, const struct frame *f, enum drop_reason *reason,
		const bool plain, const bool packed)
{
	if (likely(fill_single(vq, c, f, plain, packed)))
		return ROOM_OK;
	return fill_chains(vq, c, f, reason, packed);
}

/* A frame with something to do that the guest does not do itself. */
static __rte_noinline enum room_status
fill_finished(struct virtqueue *vq, struct cursor *c, const struct frame *f, struct tally *t,
		enum drop_reason *reason, const bool packed)
{
	enum room_status status = ROOM_OK;
	const struct frame *part;
	struct finish fin;

	finish_begin(&fin, f, vq->offloads);
	if (fin.n > 1)
		status = find_all(vq, &fin, reason, packed);
	c->at = vq->last_avail;
	c->wrap = vq->avail_wrap;
	while (status == ROOM_OK && (part = finish_next(&fin)) != NULL)
		status = fill_one(vq, c, part, reason, false, packed);
	if (unlikely(status == ROOM_NONE && fin.i > 1)) {
		/* The guest has changed descriptors that were in order a moment ago. */
		*reason = DROP_RX_DESCRIPTOR;
		return ROOM_NEVER;
	}
	if (status != ROOM_OK)
		return status;
	if (fin.n > 1)
		t->segments += fin.n;
	if (!fin.partial)
		t->checksums += fin.n;
	return ROOM_OK;
}

/* A frame that is more than its bytes. */
static __rte_noinline enum room_status
fill_offload(struct virtqueue *vq, struct cursor *c, const struct frame *f, struct tally *t,
		enum drop_reason *reason, const bool packed)
{
	if ((f->offload & ~vq->offloads) != 0)
		return fill_finished(vq, c, f, t, reason, packed);
	return fill_one(vq, c, f, reason, false, packed);
}

static __rte_always_inline struct outcome
fill_ring(struct virtqueue *vq, struct burst *b, uint64_t want, struct tally *t, const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	struct outcome o = {0, 0};
	enum room_status status;
	enum drop_reason reason;
	struct frame *f;
	uint64_t bit;

	for (; want != 0 && ring_more(vq, &c, packed); want &= want - 1) {
		f = &b->frame[__builtin_ctzll(want)];
		bit = want & -want;
		look_ahead(vq, &c, b, want, packed);
		if (unlikely(f->offload != 0 || f->vnet.flags != 0))
			status = fill_offload(vq, &c, f, t, &reason, packed);
		else
			status = fill_one(vq, &c, f, &reason, true, packed);
		if (unlikely(status == ROOM_NONE))
			break;
		if (unlikely(status == ROOM_NEVER)) {
			f->reason = reason;
			o.refused |= bit;
			continue;
		}
		o.taken |= bit;
		t->bytes += f->len;
	}
	return o;
}

/* Fills and publishes. Returns whether the guest is to be signalled. */
static __rte_always_inline bool
deliver(struct virtqueue *vq, struct burst *b, uint64_t want, struct tally *t, struct outcome *o,
		const bool packed)
{
	uint16_t from = vq->last_used;
	bool wrap = vq->used_wrap;

	*o = fill_ring(vq, b, want, t, packed);
	if ((vq->last_used == from && vq->used_wrap == wrap) || vq->fault != FAULT_NONE)
		return false;
	return ring_publish(vq, from, packed);
}

struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, uint64_t want, struct port_count *count)
{
	struct tally t = {0};
	struct outcome o;
	bool signal;

	rte_spinlock_lock(&vq->lock);
	signal = vq->packed ? deliver(vq, b, want, &t, &o, true)
			    : deliver(vq, b, want, &t, &o, false);
	rte_spinlock_unlock(&vq->lock);

	if (o.taken != 0) {
		count_add(&count->sent, __builtin_popcountll(o.taken));
		count_add(&count->sent_bytes, t.bytes);
	}
	if (unlikely(t.checksums + t.segments != 0)) {
		count_add(&count->checksums, t.checksums);
		count_add(&count->segments, t.segments);
	}
	if (signal) {
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
	return o;
}
