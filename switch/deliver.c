/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What is seldom needed to deliver a burst: see deliver.h for the contract. */
#include "switch/deliver.h"

__rte_cold struct outcome
deliver_examined(struct lane *l, const struct source *s, uint16_t to, frame_set want)
{
	frame_set some = stall_limit(l, to, want);
	struct outcome o = {0, 0};

	if (some == 0) {
		l->burst.put_off = !(want & l->stall.touched);
		return o;
	}
	o = deliver_one(l, s, to, some);
	stall_receiver(l, to, frame_set_count(o.taken));
	if (some != want && (o.taken | o.refused) == some)
		l->burst.put_off = true;
	return o;
}

enum drop_reason
deliver_miss(struct lane *l, const struct source *s, uint16_t port, struct frame *f)
{
	const struct sink *k = port_sink(&l->shared.ports->port[port]);

	count_add(&l->count[port].missed, 1);
	return k == NULL ? DROP_GONE : k->ops->why_not(k, l, s, f);
}

uint64_t
deliver_held_up(const struct lane *l, const struct source *s, uint16_t port, struct frame *f)
{
	const struct sink *k = port_sink(&l->shared.ports->port[port]);

	if (k == NULL || k->ops->by_flow == NULL || !k->ops->by_flow(k, l, s))
		return FLOWS_ALL;
	return UINT64_C(1) << flow_of(f);
}

bool
deliver_is_put_off(const struct dests *d)
{
	unsigned int i;

	for (i = 0; i < d->n; i++)
		if (d->delay[i] == DELAY_PUT_OFF)
			return true;
	return false;
}
