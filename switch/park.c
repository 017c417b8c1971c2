/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Keeps the frames that wait: see park.h for the contract. */
#include <stdlib.h>
#include <string.h>

#include "switch/park.h"

struct park *
park_create(void)
{
	struct park *p = calloc(1, sizeof(*p));
	unsigned int i;

	if (p == NULL)
		return NULL;
	p->nfree = PARK_FRAMES;
	for (i = 0; i < PARK_FRAMES; i++)
		p->free[i] = i;
	return p;
}

void
park_destroy(struct park *p)
{
	free(p);
}

int
park_add(struct park *p, const struct frame *f, bool sent, uint64_t deadline)
{
	struct parked *s;
	unsigned int slot;

	if (p->nfree == 0 || f->nfrags > PARK_FRAGS)
		return -1;
	slot = p->free[--p->nfree];
	s = &p->slot[slot];
	s->frame = *f;
	memcpy(s->frag, f->frag, f->nfrags * sizeof(*f->frag));
	s->frame.frag = s->frag;
	if (f->offload != 0) {
		s->headers = *f->headers;
		s->frame.headers = &s->headers;
	}
	s->deadline = deadline;
	s->errands = 0;
	s->sent = sent;
	return slot;
}

bool
park_errand(struct park *p, unsigned int slot, uint16_t port, uint32_t epoch, uint64_t flows)
{
	unsigned int left = RTE_MIN(PARK_QUOTA * p->nfree, PARK_ERRANDS - p->nerrands);

	if (p->owed[port] >= left)
		return false;
	p->owed[port]++;
	p->errand[p->nerrands++] = (struct errand){
			.epoch = epoch,
			.slot = slot,
			.port = port,
	};
	p->slot[slot].errands++;
	flow_set_add(&p->blocked, port, flows);
	return true;
}

void
park_remove(struct park *p, unsigned int slot)
{
	p->free[p->nfree++] = slot;
}
