/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Chooses the ring to move to another worker, so that the busiest worker has less to do.
 *
 * No state. Any thread.
 */
#ifndef BALANCE_H
#define BALANCE_H

#include <stdint.h>

/* A ring, and what it costs its worker. */
struct weight {
	unsigned int worker;
	uint64_t load; /* in the unit of the workers' loads */
};

/*
 * Finds the move off the busiest of `workers` workers that leaves the busier one of the two with the
 * least load. Returns the ring's index in weight[], and where to in *to. Returns n if no move takes at
 * least `gain` off the busiest worker. Does the move in weight[] and load[].
 */
unsigned int balance_step(struct weight *weight, unsigned int n, uint64_t *load,
		unsigned int workers, uint64_t gain, unsigned int *to);

#endif /* BALANCE_H */
