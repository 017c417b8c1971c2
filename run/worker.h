/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Workers: a thread on an lcore for each lane, which does nothing but rounds.
 *
 * Main lcore, except worker_run().
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

#include "base/limits.h"

struct lane;
struct lanes;
struct uplink;

struct worker {
	struct workers *all;
	struct lane *lane;
};

struct workers {
	struct lanes *lanes;
	struct uplink *uplink; /* NULL: none */
	bool stop;             /* set once: workers leave their loops */
	struct worker worker[WORKER_MAX];
};

/* Starts a worker for each lane. */
void workers_start(struct workers *all, struct lanes *lanes, struct uplink *uplink);

/* The lcore's loop, of a struct worker: until it is told to stop. */
int worker_run(void *worker);

/*
 * Has all workers leave their loops, and waits for them. False: one hangs, which was said on
 * stderr; it may use anything still, so nothing can be freed.
 */
bool workers_end(struct workers *all);

#endif /* WORKER_H */
