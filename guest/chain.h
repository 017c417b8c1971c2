/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A chain of descriptors, of either ring format, as fragments of our memory.
 *
 * If a rule of the format is broken, the queue is stopped (vq_fault), as nothing in it can be
 * trusted. A buffer that can't be used is CHAIN_BAD: the chain is well formed and can be returned.
 *
 * Called by the thread that owns the queue at the time (see virtqueue.h).
 */
#ifndef GUEST_CHAIN_H
#define GUEST_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "frame/cost.h"
#include "frame/frame.h"
#include "guest/fault_reason.h"
#include "guest/memory.h"
#include "guest/virtqueue.h"

/*
 * The result of a try to take a chain, or as many chains as a frame needs. The formats return OK,
 * BAD and FAULT. After NONE and FAULT a frame waits; after BAD and TOO_MANY it is refused.
 */
enum chain_status {
	CHAIN_OK,
	CHAIN_NONE,     /* not now: there are too few chains, or no more may be read */
	CHAIN_FAULT,    /* the ring itself is broken; the queue is stopped */
	CHAIN_BAD,      /* wrong direction, not in guest memory, or of no use: it can be returned */
	CHAIN_TOO_MANY, /* more of them, or longer ones, than a frame may have */
};

/* The buffers of a chain, as fragments of this process's memory. */
struct chain {
	struct fragment *frag;
	unsigned int n;   /* number of fragments */
	unsigned int max; /* room for fragments */
	uint64_t len;     /* sum of their bytes */
	uint32_t looked;  /* descriptors that were read, with empty ones */
};

/* Returns the cost to read so many descriptors of chains in a guest's memory. */
static inline uint32_t
chain_cost(const struct guest_mem *mem, uint32_t looked)
{
	uint32_t more = mem->n > COST_REGIONS_FREE ? mem->n - COST_REGIONS_FREE : 0;

	return looked * (COST_DESC + more * COST_REGION);
}

/* Half a descriptor; in an indirect table it may be at any address. */
typedef uint64_t __attribute__((aligned(1), may_alias)) half_desc;

/* Adds a buffer to the chain, split at the border of regions. */
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
