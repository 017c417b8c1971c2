/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling a guest's receive ring.
 *
 * Any worker may do it: the ring's lock is taken once a burst and held while it
 * copies. The order of a burst is kept: the first frame that finds no room ends
 * it. Nothing is written outside of the buffers that the guest offered, and
 * nothing is visible to it before split_publish().
 */
#include "copy.h"
#include "guest/rx.h"
#include "guest/split.h"
#include "stats.h"

/*
 * Receive buffers that one frame may take: 9,000 bytes in buffers of 128. A
 * guest that offers smaller ones loses its longest frames.
 */
#define RX_BUFFERS_MAX 80

/* What a frame is copied into: one chain, or with mergeable buffers several. */
struct room {
	unsigned int nheads;
	uint16_t head[RX_BUFFERS_MAX];
	uint32_t len[RX_BUFFERS_MAX]; /* bytes that each chain holds */
	struct chain chain;           /* all of them, one after the other */
	struct piece piece[CHAIN_MAX];
};

enum room_status {
	ROOM_OK,
	ROOM_NONE,  /* not enough buffers now */
	ROOM_NEVER, /* the frame can't be taken: refused, with *reason */
};

/* Gives the entry at the front back unused: its buffers are no good. */
static enum room_status
room_spoilt(struct virtqueue *vq, struct room *r, enum drop_reason *reason)
{
	unsigned int i;

	for (i = 0; i < r->nheads; i++)
		split_put(vq, r->head[i], 0);
	vq->last_avail += r->nheads;
	*reason = DROP_RX_DESCRIPTOR;
	return ROOM_NEVER;
}

/*
 * Gathers chains for `need` bytes (virtio-net header and frame) from the
 * available entries, of which there are `avail`; takes none of them yet.
 */
static enum room_status
room_find(struct virtqueue *vq, uint16_t avail, uint32_t need, struct room *r,
		enum drop_reason *reason)
{
	unsigned int limit = vq->mergeable ? RX_BUFFERS_MAX : 1;
	enum chain_status status;
	uint64_t before;

	r->nheads = 0;
	r->chain = (struct chain){.piece = r->piece, .max = CHAIN_MAX};
	do {
		if (unlikely(r->nheads == limit)) {
			*reason = DROP_TOO_BIG;
			return ROOM_NEVER;
		}
		if (r->nheads == avail)
			return ROOM_NONE;
		before = r->chain.len;
		r->head[r->nheads] = split_head(vq, r->nheads);
		status = split_walk(vq, r->head[r->nheads], true, &r->chain);
		if (unlikely(status == CHAIN_FAULT))
			return ROOM_NONE;
		r->len[r->nheads++] = r->chain.len - before;
		/* The header goes into the first chain: it must fit there. */
		if (unlikely(status == CHAIN_BAD || r->len[0] < vq->hdr_len))
			return room_spoilt(vq, r, reason);
	} while (r->chain.len < need);
	return ROOM_OK;
}

/*
 * Writes the virtio-net header: all zeroes, as no offload is in use, but for the
 * number of buffers (virtio 1.2 section 5.1.6.4), which the short header lacks.
 */
static inline void
put_header(const struct virtqueue *vq, uint8_t *to, uint16_t nheads)
{
	const uint64_t zero = 0;

	memcpy(to, &zero, 8);
	memcpy(to + 8, &zero, 2);
	if (likely(vq->hdr_len > sizeof(struct virtio_net_hdr)))
		memcpy(to + 10, &nheads, 2);
}

/*
 * The common case: the next entry is one descriptor that takes the frame. False:
 * it is not so simple, and nothing was done.
 */
static inline bool
fill_single(struct virtqueue *vq, const struct frame *f)
{
	uint32_t need = vq->hdr_len + f->len, len;
	uint16_t head = split_head(vq, 0);
	uint8_t *to = split_single(vq, head, VRING_DESC_F_WRITE, need, &len);

	if (unlikely(to == NULL))
		return false;
	put_header(vq, to, 1);
	frame_copy(to + vq->hdr_len, f);
	split_put(vq, head, need);
	vq->last_avail++;
	return true;
}

/* Writes header and frame into the room, and returns its chains as used. */
static void
room_fill(struct virtqueue *vq, struct room *r, const struct frame *f)
{
	uint8_t vnet[HDR_MAX];
	struct piece header = {.base = vnet, .len = vq->hdr_len};
	struct piece eth = {.base = (uint8_t *)(uintptr_t)&f->eth, .len = sizeof(f->eth)};
	uint32_t left = vq->hdr_len + f->len, n;
	unsigned int i;

	put_header(vq, vnet, r->nheads);
	pieces_copy(r->piece, 0, &header, header.len);
	pieces_copy(r->piece, vq->hdr_len, f->piece, f->len);
	pieces_copy(r->piece, vq->hdr_len, &eth, eth.len);
	for (i = 0; i < r->nheads; i++) {
		n = RTE_MIN(left, r->len[i]);
		split_put(vq, r->head[i], n);
		left -= n;
	}
	vq->last_avail += r->nheads;
}

/* The frames after this one: their descriptors and bytes are fetched ahead. */
static inline void
look_ahead(const struct virtqueue *vq, struct burst *b, uint64_t want)
{
	uint64_t next = want & (want - 1);

	next &= next - 1;
	if (next != 0)
		frame_prefetch(&b->frame[__builtin_ctzll(next)]);
	split_head(vq, 4);
}

/* Finds room for a frame of several buffers, or for a reason to have none. */
static enum room_status
fill_chains(struct virtqueue *vq, uint16_t avail, const struct frame *f, enum drop_reason *reason)
{
	enum room_status status;
	struct room r;

	status = room_find(vq, avail, vq->hdr_len + f->len, &r, reason);
	if (status == ROOM_OK)
		room_fill(vq, &r, f);
	return status;
}

static inline struct outcome
fill_ring(struct virtqueue *vq, struct burst *b, uint64_t want, uint64_t *bytes)
{
	struct outcome o = {0, 0};
	enum room_status status = ROOM_OK;
	uint16_t end = vq->last_avail + split_available(vq);
	enum drop_reason reason;
	struct frame *f;
	uint64_t bit;

	for (; want != 0 && vq->last_avail != end; want &= want - 1) {
		f = &b->frame[__builtin_ctzll(want)];
		bit = want & -want;
		look_ahead(vq, b, want);
		if (unlikely(!fill_single(vq, f)))
			status = fill_chains(vq, end - vq->last_avail, f, &reason);
		if (unlikely(status == ROOM_NONE))
			break;
		if (unlikely(status == ROOM_NEVER)) {
			f->reason = reason;
			o.refused |= bit;
			status = ROOM_OK;
			continue;
		}
		o.taken |= bit;
		*bytes += f->len;
	}
	return o;
}

struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, uint64_t want, struct port_count *count)
{
	struct outcome o;
	uint64_t bytes = 0;
	bool signal = false;
	uint16_t from;

	rte_spinlock_lock(&vq->lock);
	from = vq->last_used;
	o = fill_ring(vq, b, want, &bytes);
	if (vq->last_used != from && vq->fault == FAULT_NONE)
		signal = split_publish(vq, from);
	rte_spinlock_unlock(&vq->lock);

	if (o.taken != 0) {
		count_add(&count->sent, __builtin_popcountll(o.taken));
		count_add(&count->sent_bytes, bytes);
	}
	if (signal) {
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
	return o;
}
