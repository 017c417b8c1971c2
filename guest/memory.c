/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Building the map of a guest's memory: see memory.h for the contract. */
#include <rte_vhost.h>

#include "guest/memory.h"

void
guest_mem_set(struct guest_mem *m, const struct rte_vhost_memory *table)
{
	const struct rte_vhost_mem_region *t;
	struct guest_region *r;
	unsigned int i, at;

	m->n = 0;
	for (i = 0; i < table->nregions && m->n < GUEST_REGIONS; i++) {
		t = &table->regions[i];
		if (t->size == 0 || t->guest_phys_addr + t->size < t->guest_phys_addr)
			continue;
		for (at = m->n++; at > 0 && m->region[at - 1].size < t->size; at--)
			m->region[at] = m->region[at - 1];
		r = &m->region[at];
		r->gpa = t->guest_phys_addr;
		r->size = t->size;
		r->host = (uint8_t *)(uintptr_t)t->host_user_addr;
	}
}
