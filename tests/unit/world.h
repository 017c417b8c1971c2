/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A rig (rig.h) with all that main() makes around it. For code of librte_vhost's thread and of the main lcore. */
#ifndef UNIT_WORLD_H
#define UNIT_WORLD_H

#include "guest/guests.h"
#include "rig.h"
#include "run/notify.h"
#include "run/parts.h"
#include "run/reload.h"
#include "run/statics.h"
#include "run/stats.h"

struct world {
	struct rig *r;
	struct guests guests;
	struct statics statics;
	struct stats stats;
	struct notify notify;
	struct reload reload;
	struct parts parts;
};

/* Like rig_create(). No service manager is notified. */
struct world *world_create(unsigned int guests);

void world_destroy(struct world *w);

/* The same for cmocka, whose state is the world, with two guests. */
int world_setup(void **state);
int world_teardown(void **state);

#endif /* UNIT_WORLD_H */
