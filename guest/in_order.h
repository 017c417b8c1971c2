/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Chains of a transmit ring whose guest wants them back in order (VIRTIO_F_IN_ORDER, virtio 1.2
 * section 2.7.9 and 2.8.12). Frames may be done in any order, as one that waits for room is
 * overtaken. A chain is noted when it is taken and marked when it is done; the marked ones at the
 * front can be returned.
 *
 * Made by librte_vhost's thread while the ring is withdrawn; used by the one worker that polls the
 * ring. No locks.
 */
#ifndef GUEST_IN_ORDER_H
#define GUEST_IN_ORDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <rte_bitops.h> /* rte_align32pow2() since DPDK 23.07 */
#include <rte_common.h> /* rte_align32pow2() before that */

#include "guest/virtqueue.h"

/*
 * Most chains that are taken before the oldest one is returned: all that wait for one are returned with it, in
 * one visit, which takes 10 us for so many. Rings are rarely longer: those of QEMU have 1024 entries at most.
 */
#define IN_ORDER_MAX 4096

struct in_order {
	uint16_t head, tail; /* free running: position of the oldest chain, and of the next one */
	uint16_t mask;       /* number of entries minus one */
	struct {
		struct used_chain chain;
		bool done;
	} entry[];
};

/*
 * Makes room for the chains of a ring with `size` > 0 descriptors; free() frees it. Returns NULL
 * without memory.
 */
static inline struct in_order *
in_order_create(uint16_t size)
{
	uint32_t n = rte_align32pow2(size);
	struct in_order *o = calloc(1, sizeof(*o) + n * sizeof(o->entry[0]));

	if (o != NULL)
		o->mask = n - 1;
	return o;
}

/* Returns true if a ring can't hold more chains: its guest then makes some available twice. */
static inline bool
in_order_is_full(const struct in_order *o)
{
	return (uint16_t)(o->tail - o->head) > o->mask;
}

/*
 * Returns how many chains may be taken now, of which in_order_is_full() may still find that they are too many.
 * If there are none, one that was taken waits for room.
 */
static inline unsigned int
in_order_room(const struct in_order *o)
{
	return o->mask < IN_ORDER_MAX
			? UINT_MAX
			: (unsigned int)(IN_ORDER_MAX - (uint16_t)(o->tail - o->head));
}

/* Notes a chain that was taken. Returns its number for in_order_done(). */
static inline uint16_t
in_order_note(struct in_order *o, struct used_chain u)
{
	uint16_t at = o->tail++;

	o->entry[at & o->mask].chain = u;
	o->entry[at & o->mask].done = false;
	return at;
}

static inline void
in_order_done(struct in_order *o, uint16_t name)
{
	o->entry[name & o->mask].done = true;
}

/* Takes the next chain that can be returned. Returns false if there is none. */
static inline bool
in_order_next(struct in_order *o, struct used_chain *u)
{
	if (o->head == o->tail || !o->entry[o->head & o->mask].done)
		return false;
	*u = o->entry[o->head++ & o->mask].chain;
	return true;
}

#endif /* GUEST_IN_ORDER_H */
