/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Packed virtqueues: virtio 1.2 section 2.8.
 *
 * There is one ring of descriptors, in which the guest makes buffers available and the device
 * returns them. Two flags of a descriptor, and a wrap counter, which flips at the ring's end, tell who
 * owns it. Positions are 0 to size - 1, and size need not be a power of two. Each field of the guest is
 * read once, into private memory, and used from there.
 *
 * A chain is returned by one descriptor at the next used position, whatever its own position was;
 * the positions of its other descriptors are skipped. So chains can be returned in any order:
 * overwritten descriptors were read before.
 *
 * Called by the thread that owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_PACKED_H
#define GUEST_PACKED_H

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

#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1u << VRING_PACKED_DESC_F_USED)

/* These flags say if a descriptor is a chain of its own, to whom it belongs, and which way it goes. */
#define PACKED_SINGLE \
	(PACKED_AVAIL | PACKED_USED | VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | \
			VRING_DESC_F_INDIRECT)

/* Length, id and flags of a descriptor in a ring, whose address is aligned (section 2.8). */
typedef uint64_t __attribute__((may_alias)) used_half;

/* Reads a descriptor once; in an indirect table it may be at any address. */
static inline struct vring_packed_desc
packed_read(const void *from)
{
	const volatile half_desc *p = from;
	struct vring_packed_desc d;
	uint64_t rest;

	d.addr = p[0];
	rest = p[1];
	d.len = (uint32_t)rest;
	d.id = (uint16_t)(rest >> 32);
	d.flags = (uint16_t)(rest >> 48);
	return d;
}

/* Returns true if the device may take the descriptor at a position, by this wrap counter (section 2.8.1). */
static inline bool
packed_is_available(const struct virtqueue *vq, uint16_t at, bool wrap)
{
	uint16_t flags = load_acquire(&vq->ring[at].flags);
	uint16_t mine = wrap ? PACKED_AVAIL : PACKED_USED;

	return (flags & (PACKED_AVAIL | PACKED_USED)) == mine;
}

/* Advances a position by n, at most the ring's size; the wrap counter flips at the ring's end. */
static inline void
packed_advance(const struct virtqueue *vq, uint16_t *at, bool *wrap, uint16_t n)
{
	uint32_t to = *at + (uint32_t)n;

	if (unlikely(to >= vq->size)) {
		to -= vq->size;
		*wrap = !*wrap;
	}
	*at = to;
}

/*
 * Prefetches the descriptor at a position, which may be up to the ring's size beyond its end. In a ring that is
 * shorter than a burst it may be any address, which does no harm.
 */
static __rte_always_inline void
packed_prefetch(const struct virtqueue *vq, uint32_t at)
{
	rte_prefetch0(&vq->ring[at < vq->size ? at : at - vq->size]);
}

/* Adds a descriptor's buffer. */
static inline enum chain_status
packed_buffer(const struct virtqueue *vq, const struct vring_packed_desc *d, bool writable,
		struct chain *c)
{
	if (unlikely(!!(d->flags & VRING_DESC_F_WRITE) != writable))
		return CHAIN_BAD;
	return likely(chain_add(c, vq->mem, d->addr, d->len)) ? CHAIN_OK : CHAIN_BAD;
}

/* Adds the buffers of the indirect table that d names (section 2.8.8). */
static inline enum chain_status
packed_table(struct virtqueue *vq, const struct vring_packed_desc *d, bool writable,
		struct chain *c)
{
	uint32_t i, n = d->len / sizeof(*d);
	enum chain_status status = CHAIN_OK;
	struct vring_packed_desc entry;
	const uint8_t *table, *at;

	if (!vq->indirect || (d->flags & VRING_DESC_F_NEXT) || n == 0 || n > CHAIN_MAX ||
			d->len % sizeof(*d) != 0 || d->addr + d->len < d->addr)
		return chain_fault(vq, FAULT_INDIRECT);
	table = guest_mem_at(vq->mem, d->addr, d->len); /* NULL: it is not in one region */
	for (i = 0; i < n && status == CHAIN_OK; i++) {
		c->looked++;
		at = likely(table != NULL)
				? table + i * sizeof(entry)
				: guest_mem_at(vq->mem, d->addr + i * sizeof(entry), sizeof(entry));
		if (unlikely(at == NULL))
			return CHAIN_BAD;
		entry = packed_read(at);
		if (unlikely(entry.flags & VRING_DESC_F_INDIRECT))
			return chain_fault(vq, FAULT_INDIRECT);
		/*
		 * DPDK's driver (22.11) leaves WRITE set in tables of transmit chains. Reading a
		 * writable buffer does no harm.
		 */
		if (!writable)
			entry.flags = 0;
		status = packed_buffer(vq, &entry, writable, c);
	}
	return status;
}

/*
 * Adds the buffers of the chain at position `at` to *c, and sets *u, which returns it, also if the
 * chain is bad. `writable`: a receive chain, else a transmit chain.
 */
static inline enum chain_status
packed_walk(struct virtqueue *vq, uint16_t at, bool writable, struct chain *c, struct used_chain *u)
{
	enum chain_status status = CHAIN_OK;
	struct vring_packed_desc d;
	uint16_t n = 0;

	do {
		if (unlikely(n == RTE_MIN(vq->size, CHAIN_MAX)))
			return chain_fault(vq, FAULT_LOOP);
		d = packed_read(&vq->ring[at]);
		c->looked++;
		n++;
		if (++at == vq->size)
			at = 0;
		if (unlikely(status != CHAIN_OK)) /* go on to its end, where its id is */
			continue;
		if (d.flags & VRING_DESC_F_INDIRECT)
			status = packed_table(vq, &d, writable, c);
		else
			status = packed_buffer(vq, &d, writable, c);
		if (unlikely(status == CHAIN_FAULT))
			return CHAIN_FAULT;
	} while (d.flags & VRING_DESC_F_NEXT);
	u->id = d.id;
	u->ndesc = n;
	return status;
}

/*
 * The usual case: a single descriptor, with none of the three flags except `flags`, all of it in
 * one region, with at least `least` bytes. Returns its buffer, whose base is NULL for anything else,
 * which packed_walk() handles.
 */
static inline struct fragment
packed_single(const struct virtqueue *vq, uint16_t at, uint16_t flags, uint32_t least,
		struct used_chain *u)
{
	const uint16_t shape = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	struct vring_packed_desc d = packed_read(&vq->ring[at]);

	if (unlikely((d.flags & shape) != flags || d.len < least))
		return (struct fragment){.base = NULL};
	u->id = d.id;
	u->ndesc = 1;
	return (struct fragment){guest_mem_at(vq->mem, d.addr, d.len), d.len};
}

/*
 * Writes the second half of a descriptor, which returns a chain, by one store: the three fields
 * would take three, and the guest never sees some of them without the others.
 */
static inline void
packed_show(struct vring_packed_desc *d, uint64_t half)
{
	store_release((used_half *)&d->len, half);
}

/* The next used position of a ring, in registers while several chains are returned. */
struct packed_used {
	struct vring_packed_desc *ring;
	uint64_t wrap; /* the owner's flags, where they are in a used_half */
	uint64_t half; /* what packed_show() will write for the chain that is hidden */
	uint16_t at, size;
	uint16_t hidden_at; /* position of the hidden chain */
	bool hidden;        /* a chain is hidden: the first one that was put and not published */
};

#define PACKED_WRAP_FLAGS ((uint64_t)(PACKED_AVAIL | PACKED_USED) << 48)

static __rte_always_inline struct packed_used
packed_used_begin(const struct virtqueue *vq)
{
	return (struct packed_used){
			.ring = vq->ring,
			.wrap = vq->used_wrap ? PACKED_WRAP_FLAGS : 0,
			.half = vq->hidden_half,
			.at = vq->last_used,
			.size = vq->size,
			.hidden_at = vq->hidden_at,
			.hidden = vq->hidden,
	};
}

static __rte_always_inline void
packed_used_end(const struct packed_used *p, struct virtqueue *vq)
{
	vq->last_used = p->at;
	vq->used_wrap = p->wrap != 0;
	vq->hidden_half = p->half;
	vq->hidden_at = p->hidden_at;
	vq->hidden = p->hidden;
}

/*
 * Returns a chain to the guest, with `len` bytes written to it. The first one is hidden until
 * the next packed_publish(), and the guest stops there; so it sees all of them at once.
 */
static __rte_always_inline void
packed_used_put(struct packed_used *p, struct used_chain u, uint32_t len)
{
	uint64_t half = len | (uint64_t)u.id << 32 | p->wrap;
	uint32_t next = p->at + (uint32_t)u.ndesc;

	if (len != 0)
		half |= (uint64_t)VRING_DESC_F_WRITE << 48;
	if (unlikely(!p->hidden)) {
		p->hidden = true;
		p->hidden_at = p->at;
		p->half = half;
	} else {
		packed_show(&p->ring[p->at], half);
	}
	if (unlikely(next >= p->size)) {
		next -= p->size;
		p->wrap ^= PACKED_WRAP_FLAGS;
	}
	p->at = next;
}

/* Returns a single chain as packed_used_put() does. */
static inline void
packed_put(struct virtqueue *vq, struct used_chain u, uint32_t len)
{
	struct packed_used p = packed_used_begin(vq);

	packed_used_put(&p, u, len);
	packed_used_end(&p, vq);
}

/* A used position, and its wrap counter. */
struct packed_at {
	uint16_t at;
	bool wrap;
};

/*
 * Returns true if the used positions from `from` to `to` passed the guest's event index (section
 * 2.8.14).
 */
static inline bool
packed_need_event(const struct virtqueue *vq, uint16_t from, struct packed_at to, uint16_t off_wrap)
{
	uint16_t old = from, now = to.at;
	uint16_t event = off_wrap & ~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);

	/* Puts the positions on one line, which ends at the used one. */
	if (now <= old)
		old -= vq->size;
	if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != to.wrap)
		event -= vq->size;
	return vring_need_event(event, now, old);
}

/*
 * Returns true if the guest wants a signal after the used positions from `from` to `to` were shown to
 * it; see vq_signal().
 */
static inline bool
packed_wants_signal(const struct virtqueue *vq, uint16_t from, struct packed_at to)
{
	struct vring_packed_desc_event e;
	uint32_t both;

	if (vq->callfd < 0)
		return false;
	/* The guest must see the descriptors before we check if it sleeps. */
	rte_smp_mb();
	both = load_relaxed((const uint32_t *)vq->driver_event);
	memcpy(&e, &both, sizeof(e));
	if (e.flags == VRING_PACKED_EVENT_FLAG_DESC && vq->event_idx)
		return packed_need_event(vq, from, to, e.off_wrap);
	return e.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

/* Makes all chains since used position `from` visible to the guest. Returns true if it wants a signal. */
static inline bool
packed_publish(struct virtqueue *vq, uint16_t from)
{
	if (vq->hidden) {
		packed_show(&vq->ring[vq->hidden_at], vq->hidden_half);
		vq->hidden = false;
	}
	return packed_wants_signal(vq, from, (struct packed_at){vq->last_used, vq->used_wrap});
}

/* Asks the guest not to notify us: we poll. */
static inline void
packed_suppress(struct virtqueue *vq)
{
	store_relaxed(&vq->device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/* Asks the guest to notify us of each chain. */
static inline void
packed_ask(struct virtqueue *vq)
{
	store_relaxed(&vq->device_event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
}

#endif /* GUEST_PACKED_H */
