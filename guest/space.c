/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Shares of the address space: see space.h for the contract. */
#include "guest/message.h"
#include "guest/space.h"

static bool
space_take(struct spaces *all, struct space *s, uint64_t memory, uint64_t log, uint64_t *share)
{
	uint64_t had = s->memory + s->log;
	bool ok;

	pthread_mutex_lock(&all->lock);
	*share = (SPACE_ALL - (all->taken - had)) / SPACE_SHARE;
	ok = memory <= *share && log <= *share - memory;
	if (ok) {
		all->taken += memory + log - had;
		s->memory = memory;
		s->log = log;
	}
	pthread_mutex_unlock(&all->lock);
	return ok;
}

bool
space_table(struct spaces *all, struct space *s, const struct message *m, uint64_t *share)
{
	struct message_region r;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < m->payload.memory.nregions; i++) {
		r = m->payload.memory.region[i];
		sum += r.size + r.mmap_offset; /* each below 2^48 */
	}
	return space_take(all, s, sum, s->log, share);
}

bool
space_log(struct spaces *all, struct space *s, const struct message *m, uint64_t *share)
{
	return space_take(all, s, s->memory, m->payload.log.mmap_size, share);
}

void
space_release(struct spaces *all, struct space *s)
{
	uint64_t share;

	space_take(all, s, 0, 0, &share);
}
