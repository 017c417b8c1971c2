/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Leases: how several workers fill one receive ring at the same time.
 *
 * A worker takes the next chains, and as many used positions, under the ring's lock. It releases the lock
 * while it copies, and takes it again to end its lease. The guest is shown leases in the order in
 * which they began: a worker that ends one before an earlier one has ended leaves it to the worker of
 * that one to show both. So nobody waits for a copy. A lease begins and ends within one call of rx_deliver();
 * so a grace period after a ring was withdrawn it has none.
 *
 * Only chains of one descriptor are leased: a frame takes exactly one of them, so it is known before
 * the copy what is taken. Its checksum may be completed in that copy. All other frames need the ring for
 * themselves: no leases, and the lock held while they are copied. While such a frame waits for the end of leases
 * no more begin (`contended` is 0).
 *
 * A lease costs each burst the lock once more, and the cache line that it is in. So leases are taken only
 * for a while after a worker has found the lock held.
 *
 * Called by workers. struct leases is guarded by its lock; what a lease covers belongs to the worker
 * that took it.
 */
#ifndef GUEST_LEASE_H
#define GUEST_LEASE_H

#include "guest/ring.h"

/*
 * Bursts for which leases are taken after workers have met at a ring. Then one burst is filled under the
 * lock; another worker that wants the ring meanwhile has to wait for that burst.
 */
#define LEASE_BURSTS 256

/* A worker's own notes of its lease. */
struct lease {
	uint16_t from;  /* first used position */
	bool from_wrap; /* packed: wrap counter of `from` */
	uint8_t slot;   /* in struct leases */
};

/* Returns true if a lease may begin. */
static inline bool
lease_possible(const struct leases *all)
{
	return all->contended != 0 && all->n < LEASES_MAX;
}

/*
 * Takes the next n used positions; the caller has taken as many chains of one descriptor. The lock is
 * held.
 */
static __rte_always_inline struct lease
lease_begin(struct virtqueue *vq, unsigned int n, const bool packed)
{
	struct leases *all = &vq->leases;
	struct lease l = {
			.from = vq->last_used,
			.from_wrap = vq->used_wrap,
			.slot = (all->first + all->n) % LEASES_MAX,
	};

	if (all->n++ == 0) {
		all->contended--;
		all->shown = l.from;
	} else {
		all->contended = LEASE_BURSTS;
	}
	if (packed)
		packed_advance(vq, &vq->last_used, &vq->used_wrap, n);
	else
		vq->last_used += n;
	all->to[l.slot] = vq->last_used;
	all->wraps &= ~(1u << l.slot);
	all->wraps |= vq->used_wrap << l.slot;
	return l;
}

/*
 * Puts the n chains of a lease, as ring_put_singles() does, without the lock. In a packed
 * ring all of them may be shown at once: the guest takes them in order, so it stops at an earlier lease
 * that has not ended.
 */
static __rte_always_inline void
lease_put(struct virtqueue *vq, const struct lease *l, const uint16_t *id,
		const struct fragment *room, unsigned int n, const bool packed)
{
	struct packed_used p = {
			.ring = vq->ring,
			.wrap = l->from_wrap ? PACKED_WRAP_FLAGS : 0,
			.at = l->from,
			.size = vq->size,
	};

	ring_put_singles_at(vq, &p, id, room, n, packed);
	if (packed && likely(!vq_broken(vq)))
		packed_show(&vq->ring[l->from], p.half);
}

/*
 * Ends a lease. Makes its chains visible, and those of later leases that have ended, unless an earlier
 * one has not. Returns true if the guest wants a signal. The lock is held.
 */
static __rte_always_inline bool
lease_end(struct virtqueue *vq, const struct lease *l, const bool packed)
{
	struct leases *all = &vq->leases;
	uint16_t from = all->shown, to;
	bool wrap;

	all->done |= 1u << l->slot;
	if (all->first != l->slot)
		return false;
	do {
		to = all->to[all->first];
		wrap = all->wraps >> all->first & 1;
		all->done &= ~(1u << all->first);
		all->first = (all->first + 1) % LEASES_MAX;
		all->n--;
	} while (all->n != 0 && (all->done >> all->first & 1));
	all->shown = to;
	if (unlikely(vq_broken(vq)))
		return false;
	if (packed)
		return packed_wants_signal(vq, from, (struct packed_at){to, wrap});
	return split_show(vq, from, to);
}

#endif /* GUEST_LEASE_H */
