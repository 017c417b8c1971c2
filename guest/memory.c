/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Builds the map of a guest's memory: see memory.h for the contract. */
#include <rte_common.h>
#include <rte_vhost.h>

#include "base/atomic.h"
#include "guest/memory.h"

/* Begins a change: a reader sees that it can't read now. */
static void
memory_begin(struct guest_mem *m)
{
	store_relaxed(&m->version, m->version + 1);
	fence_release();
}

static void
memory_end(struct guest_mem *m)
{
	store_release(&m->version, m->version + 1);
}

static void
memory_add_region(struct guest_mem *m, const struct rte_vhost_mem_region *t)
{
	struct guest_region *r;
	unsigned int at;

	for (at = m->n++; at > 0 && m->region[at - 1].size < t->size; at--)
		m->region[at] = m->region[at - 1];
	r = &m->region[at];
	r->gpa = t->guest_phys_addr;
	r->size = t->size;
	r->host = (uint8_t *)(uintptr_t)t->host_user_addr;
}

void
guest_mem_set(struct guest_mem *m, const struct rte_vhost_memory *table)
{
	const struct rte_vhost_mem_region *t;
	unsigned int i;

	memory_begin(m);
	m->n = m->nmaps = 0;
	m->region[0] = (struct guest_region){0}; /* singles_avx2.c looks at it unasked */
	for (i = 0; i < table->nregions && m->n < GUEST_REGIONS; i++) {
		t = &table->regions[i];
		if (t->size == 0 || t->guest_phys_addr + t->size < t->guest_phys_addr)
			continue;
		m->map[m->nmaps++] = (struct guest_mapping){t->mmap_addr, t->mmap_size};
		memory_add_region(m, t);
	}
	memory_end(m);
}

void
guest_mem_set_log(struct guest_mem *m, uint8_t *log, uint64_t size)
{
	memory_begin(m);
	m->log = log;
	m->log_size = size;
	memory_end(m);
}

void
guest_mem_forget(struct guest_mem *m)
{
	memory_begin(m);
	m->nmaps = 0;
	m->log = NULL;
	m->log_size = 0;
	memory_end(m);
}

enum guest_mem_look
guest_mem_mapping(const struct guest_mem *m, const void *p, struct guest_mapping *found)
{
	uint32_t version = load_acquire(&m->version);
	struct guest_mapping map = {m->log, m->log_size};
	unsigned int i = 0, n = RTE_MIN(m->nmaps, (unsigned int)GUEST_REGIONS);

	while ((uintptr_t)p - (uintptr_t)map.at >= map.len && i < n)
		map = m->map[i++];
	*found = map;
	fence_acquire();
	if ((version & 1) || load_relaxed(&m->version) != version)
		return GUEST_MEM_CHANGES;
	return (uintptr_t)p - (uintptr_t)map.at < map.len ? GUEST_MEM_FOUND : GUEST_MEM_NONE;
}
