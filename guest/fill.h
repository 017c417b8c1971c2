/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Puts one frame of any kind into a guest's receive ring: its header, its bytes, and what the guest wants done
 * to it (checksums, segments). What was put is not visible to the guest before it is published.
 *
 * Most frames fit into a single descriptor, so that is tried first. If it fails, room.h finds chains for the
 * frame, within bounds. rx.c has bursts, and frames that take one buffer each.
 *
 * Used by rx.c only, while the worker holds the ring's lock. Exception: fill_put(), fill_note_checksums() and
 * struct filling are also used for buffers that the worker has leased (lease.h), without the lock.
 */
#ifndef GUEST_FILL_H
#define GUEST_FILL_H

#include "frame/checksum.h"
#include "frame/copy.h"
#include "frame/gso.h"
#include "guest/room.h"

/* Work that was done for a burst. It is counted at the end, after the ring's lock was released. */
struct tally {
	uint64_t bytes, checksums, segments;
	uint64_t frags; /* fragments beyond the first of each frame */
};

/* One burst that is put into one ring; `at` is the cursor of frames that are not the common case. */
struct filling {
	struct cursor at;
	struct burst *b;
	struct tally tally;
	uint32_t looked; /* descriptors that were read to find room for the frame in hand */
};

/* Returns true if a frame needs only the copy, after a header of zeroes. */
static inline bool
fill_is_plain(const struct frame *f)
{
	return f->offload == 0 && f->vnet.flags == 0;
}

/* Returns true if a frame has to be cut into segments, as its receiver does not take it whole. */
static inline bool
fill_wants_cut(const struct virtqueue *vq, const struct frame *f)
{
	return (f->offload & OFFLOAD_GSO) != 0 && (f->offload & ~vq->offloads) != 0;
}

/* Returns true if a frame, which need not be cut, has a checksum that its receiver wants completed. */
static inline bool
fill_wants_checksum(const struct virtqueue *vq, const struct frame *f)
{
	return (f->offload & ~vq->offloads & OFFLOAD_CSUM) != 0;
}

/*
 * Writes the header of a frame with offloads or flags. Flags, and what they stand for, are only for a
 * guest that takes them.
 */
static void
fill_put_offload(const struct virtqueue *vq, uint8_t *to, const struct frame *f)
{
	struct virtio_net_hdr vnet = {0};

	if (vq->offloads & OFFLOAD_CSUM)
		vnet = f->vnet;
	memcpy(to, &vnet, sizeof(vnet));
}

/*
 * Writes the virtio-net header: zeroes for most frames, and the number of buffers (virtio 1.2
 * section 5.1.6.4), which the short header lacks.
 */
static inline void
fill_put_header(const struct virtqueue *vq, uint8_t *to, const struct frame *f, uint16_t nheads,
		bool plain)
{
	const uint64_t zero = 0;

	if (likely(plain)) {
		memcpy(to, &zero, 8);
		memcpy(to + 8, &zero, 2);
	} else {
		fill_put_offload(vq, to, f);
	}
	if (likely(vq->hdr_len > sizeof(struct virtio_net_hdr)))
		memcpy(to + 10, &nheads, 2);
}

/*
 * Writes a frame with offloads or flags into one buffer: its header, and its bytes with their checksum if the
 * receiver wants that completed.
 */
static __rte_noinline void
fill_put_offloaded(const struct virtqueue *vq, uint8_t *to, const struct frame *f)
{
	fill_put_header(vq, to, f, 1, false);
	if (fill_wants_checksum(vq, f))
		checksum_copy(to + vq->hdr_len, f);
	else
		frame_copy(to + vq->hdr_len, f);
}

/* Writes a frame into one buffer, which holds it. */
static __rte_always_inline void
fill_put(const struct virtqueue *vq, uint8_t *to, const struct frame *f, const bool plain)
{
	if (plain) {
		fill_put_header(vq, to, f, 1, true);
		frame_copy_plain(to + vq->hdr_len, f);
	} else {
		fill_put_offloaded(vq, to, f);
	}
}

/*
 * The usual case of frames that are put one by one: the next entry is one descriptor that takes the frame. Returns
 * false, and does nothing, in any other case.
 */
static __rte_always_inline bool
fill_single(struct cursor *c, const struct frame *f, const bool plain, const bool packed)
{
	struct virtqueue *vq = c->vq;
	uint32_t need = vq->hdr_len + f->len;
	uint8_t *base = ring_single(c, VRING_DESC_F_WRITE, need, packed).base;

	if (unlikely(base == NULL))
		return false;
	fill_put(vq, base, f, plain);
	if (unlikely(vq_logging(vq)))
		dirty_write(vq->mem, base, need);
	ring_put(vq, c->used, need, packed);
	ring_take(c);
	return true;
}

/* Writes header and frame into the room that ends at the cursor, and returns its chains as used. */
static __rte_always_inline void
fill_room(const struct cursor *end, struct rx_room *r, const struct frame *f, const bool packed)
{
	struct virtqueue *vq = end->vq;
	uint8_t vnet[HDR_MAX];
	struct fragment header = {.base = vnet, .len = vq->hdr_len};
	struct fragment front = frame_front(f), field;
	uint16_t sum;
	uint32_t left = vq->hdr_len + f->len, n;
	unsigned int i;

	fill_put_header(vq, vnet, f, r->n, f->vnet.flags == 0);
	frags_copy(r->frag, 0, &header, header.len);
	frags_copy(r->frag, vq->hdr_len, f->frag, f->len);
	frags_copy(r->frag, vq->hdr_len, &front, front.len);
	if (unlikely(fill_wants_checksum(vq, f))) {
		sum = checksum_of(f);
		field = (struct fragment){.base = (uint8_t *)&sum, .len = sizeof(sum)};
		frags_copy(r->frag, vq->hdr_len + checksum_at(f), &field, field.len);
	}
	if (unlikely(vq_logging(vq)))
		dirty_frags(vq->mem, r->frag, left);
	for (i = 0; i < r->n; i++) {
		n = RTE_MIN(left, r->len[i]);
		ring_put(vq, r->used[i], n, packed);
		left -= n;
	}
	ring_take(end);
}

/*
 * Finds room for a frame in several buffers, and fills it. `touch`: the frame may be put off, as pages of the room
 * have to be made.
 */
static enum chain_status
fill_found(struct filling *to, const struct frame *f, bool touch, const bool packed)
{
	struct cursor *c = &to->at, end = *c;
	struct virtqueue *vq = c->vq;
	enum chain_status status;
	struct rx_room r;

	status = room_find(&end, vq->hdr_len + f->len, to->looked, &r, packed);
	to->looked = r.chain.looked;
	room_charge(to->b, vq->mem, &r);
	if (status == CHAIN_OK && touch && !room_touch(to->b, &r)) {
		ring_rewind(c);
		return CHAIN_NONE;
	}
	if (status == CHAIN_OK)
		fill_room(&end, &r, f, packed);
	else if (status == CHAIN_BAD)
		room_give_back(&end, r.used, r.n, packed);
	else if (r.before == 0)
		room_note(c, &end, &r, status);
	/* Without room no chain is taken, except those that can't be used. */
	ring_rewind(c);
	return status;
}

/* Finds room for a frame, if it may be looked for. */
static __rte_noinline enum chain_status
fill_chains(struct filling *to, const struct frame *f, const bool packed)
{
	struct virtqueue *vq = to->at.vq;
	enum chain_status status = room_known(&to->at, vq->hdr_len + f->len, packed);

	if (status != CHAIN_OK)
		return status;
	to->looked = 0;
	return room_may_look(to->b) ? fill_found(to, f, true, packed) : CHAIN_NONE;
}

/*
 * Checks that all segments of a frame find room from the cursor on: a segment that was put into a ring can't be
 * taken out again. The cursor is not a new one, as the segments don't see chains that have come since. A search is
 * known to fail, and is noted, only if there is no room for the first one.
 */
static enum chain_status
fill_find_all(const struct filling *to, const struct gso *gso, const bool packed)
{
	struct virtqueue *vq = to->at.vq;
	const struct cursor from = to->at;
	enum chain_status status = room_known(&from, vq->hdr_len + gso_len(gso, 0), packed);
	struct cursor c = from;
	struct used_chain used[RX_LOOK_MAX]; /* each chain has a descriptor */
	unsigned int i, chains = 0, looked = 0;
	struct rx_room r;

	if (gso->n > vq->size)
		return CHAIN_TOO_MANY;
	if (status != CHAIN_OK)
		return status;
	if (!room_may_look(to->b))
		return CHAIN_NONE;
	for (i = 0; i < gso->n && status == CHAIN_OK; i++) {
		status = room_find(&c, vq->hdr_len + gso_len(gso, i), looked, &r, packed);
		looked = r.chain.looked;
		memcpy(&used[chains], r.used, r.n * sizeof(used[0]));
		chains += r.n;
		room_charge(to->b, vq->mem, &r);
		if (status == CHAIN_OK && !room_touch(to->b, &r))
			return CHAIN_NONE;
	}
	if (status == CHAIN_BAD)
		room_give_back(&c, used, chains, packed);
	else if (status != CHAIN_OK && i == 1)
		room_note(&from, &c, &r, status);
	return status;
}

/* Puts one frame, with or without offloads and flags, into the next buffers. */
static inline enum chain_status
fill_any(struct filling *to, const struct frame *f, const bool packed)
{
	if (likely(fill_single(&to->at, f, false, packed)))
		return CHAIN_OK;
	return fill_chains(to, f, packed);
}

/* Puts one segment of a frame into the ring, which had room for all of them. */
static inline enum chain_status
fill_segment(struct filling *to, const struct frame *f, const bool packed)
{
	if (unlikely(!ring_more(&to->at, packed)))
		return CHAIN_NONE;
	if (likely(fill_single(&to->at, f, false, packed)))
		return CHAIN_OK;
	return fill_found(to, f, false, packed);
}

/* Returns true if a frame that was not taken has to be offered again. */
static inline bool
fill_may_wait(enum chain_status status)
{
	return status == CHAIN_NONE || status == CHAIN_FAULT;
}

/* Notes that the checksums of `n` frames, which *f became, were completed if the receiver wants it. */
static inline void
fill_note_checksums(struct filling *to, const struct frame *f, unsigned int n)
{
	if (!fill_wants_checksum(to->at.vq, f))
		return;
	to->b->cost += COST_SUM(f->len);
	to->tally.checksums += n;
}

/*
 * Puts all segments of a frame into the ring. Of several each had room a moment ago: if one has none now, or
 * more descriptors are read than it took to find room, the guest has changed them, and the rest is refused.
 */
static enum chain_status
fill_segments(struct filling *to, struct gso *gso, const bool packed)
{
	enum chain_status status = CHAIN_OK;
	const struct frame *f;

	to->looked = 0;
	while (status == CHAIN_OK && (f = gso_next(gso)) != NULL) {
		if (unlikely(to->looked > RX_LOOK_STOP))
			return CHAIN_BAD;
		status = gso->n > 1 ? fill_segment(to, f, packed) : fill_any(to, f, packed);
	}
	return unlikely(fill_may_wait(status) && gso->i > 1) ? CHAIN_BAD : status;
}

/* Puts the segments of a frame into the ring that the guest does not take whole. */
static __rte_noinline enum chain_status
fill_cut(struct filling *to, const struct frame *f, const bool packed)
{
	enum chain_status status = CHAIN_OK;
	struct gso gso;

	gso_begin(&gso, f);
	if (gso.n > 1)
		status = fill_find_all(to, &gso, packed);
	ring_rewind(&to->at);
	if (status == CHAIN_OK)
		status = fill_segments(to, &gso, packed);
	if (status != CHAIN_OK)
		return status;
	to->b->cost += gso.n * COST_SEGMENT;
	if (gso.n > 1)
		to->tally.segments += gso.n;
	fill_note_checksums(to, f, gso.n);
	return CHAIN_OK;
}

/* Puts a frame with offloads or flags into the ring. */
static __rte_noinline enum chain_status
fill_offload(struct filling *to, const struct frame *f, const bool packed)
{
	enum chain_status status;

	if (fill_wants_cut(to->at.vq, f))
		return fill_cut(to, f, packed);
	status = fill_any(to, f, packed);
	if (status == CHAIN_OK)
		fill_note_checksums(to, f, 1);
	return status;
}

/*
 * Puts one frame into the next buffers. All chains before *c were taken, so other cases find that
 * position in the virtqueue. They do not get *c itself, as that would keep it in memory.
 */
static __rte_always_inline enum chain_status
fill_one(struct filling *to, struct cursor *c, const struct frame *f, const bool packed)
{
	bool plain = fill_is_plain(f);
	enum chain_status status;

	if (likely(plain) && likely(fill_single(c, f, true, packed)))
		return CHAIN_OK;
	ring_rewind(&to->at);
	status = plain ? fill_chains(to, f, packed) : fill_offload(to, f, packed);
	ring_rewind(c);
	return status;
}

#endif /* GUEST_FILL_H */
