/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Split virtqueues: virtio 1.2 section 2.7.
 *
 * This file knows the layout of descriptors, available and used entries, and the rules of a chain.
 * It does not know what a chain's bytes mean. Each field of the guest is read once, into private
 * memory, and used from there.
 *
 * Called by the thread that owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_SPLIT_H
#define GUEST_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_atomic.h>
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "base/atomic.h"
#include "frame/frame.h"
#include "guest/chain.h"
#include "guest/fault_reason.h"
#include "guest/virtqueue.h"

/* Reads a descriptor once. */
static inline struct vring_desc
split_read(const void *from)
{
	const volatile half_desc *p = from;
	uint64_t rest;
	struct vring_desc d;

	d.addr = p[0];
	rest = p[1];
	d.len = (uint32_t)rest;
	d.flags = (uint16_t)(rest >> 32);
	d.next = (uint16_t)(rest >> 48);
	return d;
}

/*
 * Returns the number of entries that the guest has made available and we have not taken yet. More
 * than the ring holds is a fault; then it returns 0.
 */
static inline uint16_t
split_available(struct virtqueue *vq)
{
	uint16_t n;

	if (unlikely(vq_broken(vq)))
		return 0;
	n = load_acquire(&vq->avail->idx) - vq->last_avail;
	if (unlikely(n > vq->size)) {
		vq_fault(vq, FAULT_AVAIL_OVERRUN);
		return 0;
	}
	return n;
}

/* Returns the head of available entry `i` (free running). */
static inline uint16_t
split_head(const struct virtqueue *vq, uint16_t i)
{
	return *(const volatile uint16_t *)&vq->avail->ring[i & (vq->size - 1)];
}

/* Prefetches the descriptor of an available entry. */
static inline void
split_prefetch(const struct virtqueue *vq, uint16_t i)
{
	rte_prefetch0(&vq->desc[split_head(vq, i) & (vq->size - 1)]);
}

/* The table that a chain is in: the ring's own, or an indirect one (section 2.7.5.3). */
struct split_table {
	const struct vring_desc *ring; /* NULL: indirect, at gpa */
	const uint8_t *indirect;       /* the indirect table, if it is in one region; else NULL */
	uint64_t gpa;
	uint32_t n; /* number of descriptors */
};

/* Enters the indirect table that d names. Returns false if that breaks the rules. */
static inline bool
split_enter(const struct virtqueue *vq, struct split_table *t, const struct vring_desc *d)
{
	if (t->ring == NULL || !vq->indirect || (d->flags & VRING_DESC_F_NEXT) || d->len == 0 ||
			d->len % sizeof(*d) != 0 || d->len / sizeof(*d) > CHAIN_MAX ||
			d->addr + d->len < d->addr)
		return false;
	t->ring = NULL;
	t->indirect = guest_mem_at(vq->mem, d->addr, d->len);
	t->gpa = d->addr;
	t->n = d->len / sizeof(*d);
	return true;
}

/* Returns descriptor `at` of the table, or NULL if it isn't in guest memory. */
static inline const void *
split_at(const struct virtqueue *vq, const struct split_table *t, uint16_t at)
{
	if (t->ring != NULL)
		return &t->ring[at];
	if (likely(t->indirect != NULL))
		return t->indirect + at * sizeof(struct vring_desc);
	return guest_mem_at(vq->mem, t->gpa + at * sizeof(struct vring_desc),
			sizeof(struct vring_desc));
}

/*
 * Adds the buffers of the chain that starts at `head` to *c. `writable`: a receive chain, else a
 * transmit chain; a descriptor of the other direction makes the chain bad.
 */
static inline enum chain_status
split_walk(struct virtqueue *vq, uint16_t head, bool writable, struct chain *c)
{
	struct split_table t = {.ring = vq->desc, .n = vq->size};
	const void *from;
	struct vring_desc d;
	uint32_t steps = 0;
	uint16_t at = head;

	for (;;) {
		if (unlikely(at >= t.n))
			return chain_fault(vq, t.ring ? FAULT_HEAD : FAULT_INDIRECT);
		if (unlikely(steps++ == RTE_MIN(t.n, CHAIN_MAX)))
			return chain_fault(vq, FAULT_LOOP);
		c->looked++;
		from = split_at(vq, &t, at);
		if (unlikely(from == NULL))
			return CHAIN_BAD;
		d = split_read(from);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(!split_enter(vq, &t, &d)))
				return chain_fault(vq, FAULT_INDIRECT);
			at = 0;
			steps = 0;
			continue;
		}
		if (unlikely(!!(d.flags & VRING_DESC_F_WRITE) != writable))
			return CHAIN_BAD;
		if (unlikely(!chain_add(c, vq->mem, d.addr, d.len)))
			return CHAIN_BAD;
		if (likely(!(d.flags & VRING_DESC_F_NEXT)))
			return CHAIN_OK;
		at = d.next;
	}
}

/*
 * The usual case: a single descriptor with exactly these flags, all of it in one region, with at
 * least `least` bytes. Returns its buffer, whose base is NULL for anything else, which split_walk()
 * handles.
 */
static inline struct fragment
split_single(const struct virtqueue *vq, uint16_t head, uint16_t flags, uint32_t least)
{
	const struct fragment none = {.base = NULL};
	struct vring_desc d;

	if (unlikely(head >= vq->size))
		return none;
	d = split_read(&vq->desc[head]);
	if (unlikely(d.flags != flags || d.len < least))
		return none;
	return (struct fragment){guest_mem_at(vq->mem, d.addr, d.len), d.len};
}

/* Returns the chain of `head`, with `len` bytes written to it, by the entry at used index `at`. */
static inline void
split_put_at(struct virtqueue *vq, uint16_t at, uint16_t head, uint32_t len)
{
	vq->used->ring[at & (vq->size - 1)] = (struct vring_used_elem){.id = head, .len = len};
}

/* Returns a chain, as split_put_at() does, by the next entry. */
static inline void
split_put(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	split_put_at(vq, vq->last_used++, head, len);
}

/* Returns the used index after which the guest wants a signal, with EVENT_IDX. */
static inline uint16_t
split_used_event(const struct virtqueue *vq)
{
	return load_relaxed(&vq->avail->ring[vq->size]);
}

/*
 * Makes the chains from used index `from` to `to` visible to the guest, which sees all before them.
 * Returns true if the guest wants a signal (section 2.7.7): the caller does that by vq_signal(), after
 * it has released the ring's lock.
 */
static inline bool
split_show(struct virtqueue *vq, uint16_t from, uint16_t to)
{
	store_release(&vq->used->idx, to);
	if (vq->callfd < 0)
		return false;
	/* The guest must see the index before we check if it sleeps. */
	rte_smp_mb();
	if (vq->event_idx)
		return vring_need_event(split_used_event(vq), to, from);
	return !(load_relaxed(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Does as split_show() for all chains since used index `from`. */
static inline bool
split_publish(struct virtqueue *vq, uint16_t from)
{
	return split_show(vq, from, vq->last_used);
}

/* Asks the guest not to notify us: we poll (section 2.7.10). */
static inline void
split_suppress(struct virtqueue *vq)
{
	/*
	 * With EVENT_IDX this is an index that was just passed, and is met again only after 65,536
	 * entries.
	 */
	uint16_t *avail_event = (void *)&vq->used->ring[vq->size];

	if (vq->event_idx)
		store_relaxed(avail_event, vq->last_avail - 1);
	else
		store_relaxed(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

/* Asks the guest to notify us of the next chain. */
static inline void
split_ask(struct virtqueue *vq)
{
	uint16_t *avail_event = (void *)&vq->used->ring[vq->size];

	if (vq->event_idx)
		store_relaxed(avail_event, vq->last_avail);
	else
		store_relaxed(&vq->used->flags, 0);
}

#endif /* GUEST_SPLIT_H */
