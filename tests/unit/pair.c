/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Two rings and a burst: see pair.h. */
#include "pair.h"

int
pair_setup(void **state)
{
	struct pair *p = unit_zalloc(sizeof(*p));

	p->tx = ring_create(SIZE, 65530);
	p->rx = ring_create(SIZE, 65533);
	p->to = mac_of(1, 1);
	p->from = mac_of(2, 2);
	*state = p;
	return 0;
}

int
pair_teardown(void **state)
{
	struct pair *p = *state;

	ring_destroy(p->tx);
	ring_destroy(p->rx);
	free(p);
	return 0;
}

unsigned int
pair_fetch(struct pair *p, unsigned int max)
{
	struct source *s = &p->tx->vq.source;

	p->burst.cost = 0; /* as for each visit */
	return s->ops->fetch(s, &p->burst, max);
}

void
pair_retire(struct pair *p, uint64_t mask)
{
	struct source *s = &p->tx->vq.source;

	s->ops->retire(s, p->burst.frame, mask, &p->count);
}

struct outcome
pair_deliver(struct pair *p, uint64_t want)
{
	p->burst.cost = 0;
	return rx_deliver(&p->rx->vq, &p->burst, want, &p->count);
}

void
pair_send(struct pair *p, uint16_t i, uint32_t len)
{
	ring_send(p->tx, i, &p->to, &p->from, len, len);
}
