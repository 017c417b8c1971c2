/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Chooses a ring to move: see balance.h for the contract. */
#include <rte_common.h>

#include "switch/balance.h"

unsigned int
balance_step(struct weight *weight, unsigned int n, uint64_t *load, unsigned int workers,
		uint64_t gain, unsigned int *to)
{
	unsigned int i, best = n, from = 0, least = 0;
	uint64_t after, lowest = UINT64_MAX;

	for (i = 1; i < workers; i++) {
		if (load[i] > load[from])
			from = i;
		if (load[i] < load[least])
			least = i;
	}
	for (i = 0; i < n; i++) {
		if (weight[i].worker != from || weight[i].load == 0 || weight[i].load > load[from])
			continue;
		after = RTE_MAX(load[from] - weight[i].load, load[least] + weight[i].load);
		if (after < lowest) {
			lowest = after;
			best = i;
		}
	}
	if (best == n || lowest >= load[from] || load[from] - lowest < gain)
		return n;
	load[from] -= weight[best].load;
	load[least] += weight[best].load;
	weight[best].worker = least;
	*to = least;
	return best;
}
