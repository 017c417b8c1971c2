/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* All that main() makes: see whole.h. */
#include "whole.h"

struct whole *
whole_create(unsigned int guests)
{
	struct whole *w = unit_zalloc(sizeof(*w));
	struct room *r = room_create(guests);

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
whole_destroy(struct whole *w)
{
	statics_free(&w->statics);
	room_destroy(w->r);
	free(w);
}

int
whole_setup(void **state)
{
	*state = whole_create(2);
	return 0;
}

int
whole_teardown(void **state)
{
	whole_destroy(*state);
	return 0;
}
