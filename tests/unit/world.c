/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* All that main() makes: see world.h. */
#include "world.h"

struct world *
world_create(unsigned int guests)
{
	struct world *w = unit_zalloc(sizeof(*w));
	struct rig *r = rig_create(guests);

	w->r = r;
	w->guests = (struct guests){
			.conf = &r->conf,
			.ports = &r->ports,
			.lanes = &r->lanes,
			.wake = &r->wake,
			.outside = w->stats.outside,
			.spaces.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	w->notify = (struct notify){.fd = -1};
	w->parts = (struct parts){
			.conf = &r->conf,
			.ports = &r->ports,
			.fdb = r->fdb,
			.learn = &r->learn,
			.lanes = &r->lanes,
			.guests = &w->guests,
			.statics = &w->statics,
			.stats = &w->stats,
			.notify = &w->notify,
			.reload = &w->reload,
			.wake = &r->wake,
	};
	return w;
}

void
world_destroy(struct world *w)
{
	statics_free(&w->statics);
	rig_destroy(w->r);
	free(w);
}

int
world_setup(void **state)
{
	*state = world_create(2);
	return 0;
}

int
world_teardown(void **state)
{
	world_destroy(*state);
	return 0;
}
