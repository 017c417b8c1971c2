/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A virtqueue of either format, as tx.c and rx.c (with fill.h and lease.h) use it: they are the one
 * policy for both.
 *
 * `packed` is vq->packed, known at compile time: callers have one body, which is compiled for each
 * format (see tx_fetch()), so that neither format costs the other anything.
 *
 * A cursor moves over the chains that the guest has made available; none is taken before
 * ring_take(). It belongs to the thread that owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include "base/atomic.h"
#include "guest/dirty_log.h"
#include "guest/packed.h"
#include "guest/singles.h"

struct cursor {
	struct virtqueue *vq;
	struct used_chain used; /* returns the chain that was passed last */
	uint16_t at;            /* split: free running; packed: position */
	uint16_t end;           /* split: the guest's available index */
	bool wrap;              /* packed: wrap counter */
};

static __rte_always_inline struct cursor
ring_begin(struct virtqueue *vq, const bool packed)
{
	struct cursor c = {
			.vq = vq,
			.at = vq->last_avail,
			.end = vq->last_avail,
			.wrap = vq->avail_wrap,
	};

	if (!packed)
		c.end += split_available(vq);
	return c;
}

/* Returns true if there is a chain at the cursor. */
static __rte_always_inline bool
ring_more(const struct cursor *c, const bool packed)
{
	if (!packed)
		return c->at != c->end;
	return likely(!vq_broken(c->vq)) && packed_is_available(c->vq, c->at, c->wrap);
}

/* Moves the cursor past the chain that c->used returns. */
static __rte_always_inline void
ring_next(struct cursor *c, const bool packed)
{
	if (packed)
		packed_advance(c->vq, &c->at, &c->wrap, c->used.ndesc);
	else
		c->at++;
}

/* Prefetches the i-th chain after the cursor, if it is available. */
static __rte_always_inline void
ring_prefetch(const struct cursor *c, uint16_t i, const bool packed)
{
	if (!packed)
		split_prefetch(c->vq, c->at + i);
	else
		packed_prefetch(c->vq, c->at + i);
}

/* Prefetches all available chains of a split ring, `max` at most. Descriptors of a packed one follow each other. */
static __rte_always_inline void
ring_prefetch_all(const struct cursor *c, unsigned int max, const bool packed)
{
	unsigned int i;

	for (i = 0; !packed && i < max && (uint16_t)(c->at + i) != c->end; i++)
		split_prefetch(c->vq, c->at + i);
}

/*
 * Reads the chain at the cursor, of any shape, and moves the cursor past it. c->used returns the
 * chain, except after CHAIN_FAULT.
 */
static __rte_always_inline enum chain_status
ring_walk(struct cursor *c, bool writable, struct chain *chain, const bool packed)
{
	struct used_chain u = {
			0, 1}; /* not c->used, whose address would keep the cursor in memory */
	enum chain_status status;

	if (packed) {
		status = packed_walk(c->vq, c->at, writable, chain, &u);
	} else {
		u.id = split_head(c->vq, c->at);
		status = split_walk(c->vq, u.id, writable, chain);
	}
	if (unlikely(status == CHAIN_FAULT))
		return status;
	c->used = u;
	ring_next(c, packed);
	return status;
}

/*
 * Reads a chain of a single descriptor, with these flags, all of it in one region, with at least
 * `least` bytes. Returns its buffer, whose base is NULL for anything else; then the cursor does not
 * move.
 */
static __rte_always_inline struct fragment
ring_single(struct cursor *c, uint16_t flags, uint32_t least, const bool packed)
{
	struct used_chain u = {0, 1};
	struct fragment one;

	if (packed) {
		one = packed_single(c->vq, c->at, flags, least, &u);
	} else {
		u.id = split_head(c->vq, c->at);
		one = split_single(c->vq, u.id, flags, least);
	}
	if (unlikely(one.base == NULL))
		return one;
	c->used = u;
	ring_next(c, packed);
	return one;
}

/*
 * Reads up to `max` chains from the cursor on, as far as they are singles (singles.h): to[] gets their
 * buffers, id[] what returns them. Returns how many there are, no more than the ring has. The cursor does
 * not move.
 */
static __rte_always_inline unsigned int
ring_singles(const struct cursor *c, const struct singles *s, unsigned int max, struct fragment *to,
		uint16_t *id, const bool packed)
{
	const struct virtqueue *vq = c->vq;
	unsigned int n = 0;
	uint16_t at = c->at;
	bool wrap = c->wrap;

	if (!packed) {
		max = RTE_MIN(max, (unsigned int)(uint16_t)(c->end - at));
		if (likely(vq->avx2))
			n = singles_split_avx2(vq, s, at, max, to, id);
		return n + singles_split(vq, s, at + n, max - n, to + n, id + n);
	}
	if (unlikely(vq_broken(vq)))
		return 0;
	/* A small ring's descriptors may be available for the next wrap already, if the guest changes them now. */
	max = RTE_MIN(max, (unsigned int)vq->size);
	if (likely(vq->avx2)) {
		n = singles_packed_avx2(vq, s, at, wrap, max, to, id);
		packed_advance(vq, &at, &wrap, n);
	}
	return n + singles_packed(vq, s, at, wrap, max - n, to + n, id + n);
}

/* Moves the cursor past `n` chains of one descriptor each. */
static __rte_always_inline void
ring_skip(struct cursor *c, unsigned int n, const bool packed)
{
	if (packed)
		packed_advance(c->vq, &c->at, &c->wrap, n);
	else
		c->at += n;
}

/* Takes the chains that the cursor has passed. */
static __rte_always_inline void
ring_take(const struct cursor *c)
{
	c->vq->last_avail = c->at;
	c->vq->avail_wrap = c->wrap;
}

/* Moves the cursor back to the first chain that was not taken. */
static __rte_always_inline void
ring_rewind(struct cursor *c)
{
	c->at = c->vq->last_avail;
	c->wrap = c->vq->avail_wrap;
}

static __rte_always_inline void
ring_put(struct virtqueue *vq, struct used_chain u, uint32_t len, const bool packed)
{
	if (packed)
		packed_put(vq, u, len);
	else
		split_put(vq, u.id, len);
}

/*
 * Puts n chains of one descriptor each, with these ids, which were filled as room[] says, from *p on. In a
 * split ring *p stays as it is.
 */
static __rte_always_inline void
ring_put_singles_at(struct virtqueue *vq, struct packed_used *p, const uint16_t *id,
		const struct fragment *room, unsigned int n, const bool packed)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (packed)
			packed_used_put(p, (struct used_chain){id[i], 1}, room[i].len);
		else
			split_put_at(vq, p->at + i, id[i], room[i].len);
	}
}

/* Does as ring_put_singles_at() from the next used position on. */
static __rte_always_inline void
ring_put_singles(struct virtqueue *vq, const uint16_t *id, const struct fragment *room,
		unsigned int n, const bool packed)
{
	struct packed_used p = packed_used_begin(vq);

	ring_put_singles_at(vq, &p, id, room, n, packed);
	if (packed)
		packed_used_end(&p, vq);
	else
		vq->last_used += n;
}

/* Puts the chains of the first n frames, of which nothing was written. */
static __rte_always_inline void
ring_put_frames(struct virtqueue *vq, const struct frame *f, unsigned int n, const bool packed)
{
	struct packed_used p = packed_used_begin(vq);
	const struct frame *end = f + n;

	for (; f < end; f++) {
		if (packed)
			packed_used_put(&p, (struct used_chain){f->id, f->ndesc}, 0);
		else
			split_put(vq, f->id, 0);
	}
	if (packed)
		packed_used_end(&p, vq);
}

/*
 * Returns true if chains were put since used position `from` and are not published. The position of
 * a packed ring may be the same again: the chains of a hostile guest, which are as long as it
 * likes, may lead a burst around the ring more than once.
 */
static __rte_always_inline bool
ring_has_put(const struct virtqueue *vq, uint16_t from, const bool packed)
{
	return packed ? vq->hidden : vq->last_used != from;
}

static __rte_always_inline bool
ring_publish(struct virtqueue *vq, uint16_t from, const bool packed)
{
	bool signal = packed ? packed_publish(vq, from) : split_publish(vq, from);

	if (unlikely(vq_logging(vq)))
		dirty_used(vq, from);
	return signal;
}

static inline void
ring_suppress(struct virtqueue *vq)
{
	if (vq->packed)
		packed_suppress(vq);
	else
		split_suppress(vq);
	if (vq_logging(vq))
		dirty_suppress(vq);
}

/* Ends what ring_suppress() asked for; after a full barrier the ring has to be looked at once more. */
static inline void
ring_ask(struct virtqueue *vq)
{
	if (vq->packed)
		packed_ask(vq);
	else
		split_ask(vq);
	if (vq_logging(vq))
		dirty_suppress(vq);
}

/*
 * Has the ring's source ring its bell when there is a chain at last_avail: for split rings the
 * available index has moved, for packed ones the descriptor there has the
 * flags of avail_wrap (virtio 1.2 sections 2.7.13 and 2.8.1).
 */
static __rte_always_inline void
ring_set_bell(struct virtqueue *vq, const bool packed)
{
	struct source *s = &vq->source;

	if (packed) {
		s->bell = &vq->ring[vq->last_avail].flags;
		s->bell_value = vq->avail_wrap ? PACKED_AVAIL : PACKED_USED;
	} else {
		s->bell_value = vq->last_avail;
	}
}

/* Sets the bell of a ring that was just set up. */
static inline void
ring_hang_bell(struct virtqueue *vq)
{
	struct source *s = &vq->source;

	s->bell_equal = vq->packed;
	if (vq->packed) {
		s->bell_mask = PACKED_AVAIL | PACKED_USED;
		ring_set_bell(vq, true);
	} else {
		s->bell_mask = UINT16_MAX;
		s->bell = &vq->avail->idx;
		ring_set_bell(vq, false);
	}
}

#endif /* GUEST_RING_H */
