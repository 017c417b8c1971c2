/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What each worker did in the last second, worked out from what it counts (switch/load.h).
 *
 * The main lcore works it out. Any thread reads the results, each as a whole.
 */
#ifndef RUN_LOAD_H
#define RUN_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct balance;
struct lane;
struct lanes;

/* One worker's load in the last second. */
struct worker_load {
	uint64_t busy;   /* millionths of its time: in rounds that had something to do */
	uint64_t asleep; /* millionths of its time */
	uint64_t frames; /* frames that it took from ports, a second */
	uint64_t cycles; /* busy cycles of the TSC a frame; 0: no frame */
};

struct loads {
	uint64_t at; /* TSC at the last look; 0: there was none */
	struct load_mark {
		uint64_t busy, asleep, frames;
	} mark[WORKER_MAX]; /* the counters at the last look */
	struct worker_load worker[WORKER_MAX];
	uint64_t received[WORKER_MAX][GUEST_MAX]; /* frames of each guest, at the last look */
	uint64_t moved[WORKER_MAX][GUEST_MAX];    /* frames of each guest in the second before */
};

/* Works out all workers' loads since the last call. Main lcore, once a second. */
void loads_sample(struct loads *all, const struct lanes *lanes, uint64_t now);

/* Returns a worker's load, as a whole. */
struct worker_load loads_of(const struct loads *all, unsigned int worker);

/*
 * Lists what each guest's ring has cost its worker in the last second. The caller frees it; NULL: no memory.
 * Main lcore.
 */
struct balance *loads_weigh(const struct loads *all, const struct lanes *lanes);

/*
 * Chooses the next ring to move off the busiest worker. Returns false if no further move helps. Main lcore.
 */
bool loads_next_move(struct balance *b, unsigned int workers, uint16_t *device, uint16_t *pair,
		unsigned int *worker);

/* Returns how many sources a lane polls. */
unsigned int load_rings(const struct lane *l);

#endif /* RUN_LOAD_H */
