/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Workers: a thread on an lcore for each lane, which runs rounds.
 *
 * Main lcore, except worker_run().
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct lane;
struct lanes;
struct sleeper;

struct worker {
	struct workers *all;
	struct lane *lane;
	struct sleeper *sleeper; /* NULL: it never sleeps */
};

struct workers {
	struct lanes *lanes;
	bool stop; /* set once: workers leave their loops */
	struct worker worker[WORKER_MAX];
};

/*
 * Starts a worker for each lane. Workers sleep after `idle_sleep` microseconds without work; 0: never. The uplink's
 * sink is in the table of ports before that, and stays there until workers_end().
 */
void workers_start(struct workers *all, struct lanes *lanes, uint32_t idle_sleep);

/* Runs the loop of a struct worker on its lcore, until it is told to stop. */
int worker_run(void *worker);

/*
 * Ends the loops of all workers, and waits for them. Returns false, after an error was printed, if
 * one hangs; it may still use anything, so nothing can be freed.
 */
bool workers_end(struct workers *all);

/* Frees what workers had. Called when they have ended, and nobody gives or takes sources any more. */
void workers_free(struct workers *all);

#endif /* WORKER_H */
