/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A chain of descriptors, of either ring format, as fragments of our memory.
 *
 * A broken rule of the format stops the queue (vq_fault): its guest can't be
 * trusted to know what it is doing. A buffer that can't be used is CHAIN_BAD:
 * the chain is sound and can be given back.
 *
 * Called by whoever owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_CHAIN_H
#define GUEST_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "frame/drops.h"
#include "frame/frame.h"
#include "guest/memory.h"
#include "guest/virtqueue.h"

enum chain_status {
	CHAIN_OK,
	CHAIN_BAD,   /* wrong direction, or not in guest memory: can be given back */
	CHAIN_FAULT, /* the ring itself is broken; the queue is stopped */
};

/* The buffers of a chain, as fragments of this process's memory. */
struct chain {
	struct fragment *frag;
	unsigned int n;   /* of them */
	unsigned int max; /* room there */
	uint64_t len;     /* bytes in all */
	uint32_t looked;  /* descriptors that were looked at, empty ones too */
};

/* Half a descriptor; in an indirect table it may stand at any address. */
typedef uint64_t __attribute__((aligned(1), may_alias)) half_desc;

/* Adds a buffer to the chain, split where regions meet. */
static inline bool
chain_add(struct chain *c, const struct guest_mem *mem, uint64_t gpa, uint32_t len)
{
	struct fragment *p;
	uint32_t part;

	while (len != 0) {
		if (unlikely(c->n == c->max))
			return false;
		p = &c->frag[c->n];
		part = len;
		p->base = guest_mem_part(mem, gpa, &part);
		if (unlikely(p->base == NULL))
			return false;
		p->len = part;
		c->n++;
		c->len += part;
		gpa += part;
		len -= part;
	}
	return true;
}

/* Stops the queue. */
static inline enum chain_status
chain_fault(struct virtqueue *vq, enum fault_reason reason)
{
	vq_fault(vq, reason);
	return CHAIN_FAULT;
}

#endif /* GUEST_CHAIN_H */
