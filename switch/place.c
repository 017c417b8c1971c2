/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The choice of a worker: see place.h for the contract. */
#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <stdint.h>

#include "switch/place.h"

/* Distance of a node from itself in the firmware's table. */
#define AT_HOME 10

unsigned int
place_choose(const struct seat *seat, unsigned int n, int node, distance_fn distance)
{
	uint64_t cost, least = UINT64_MAX;
	unsigned int i, best = 0, same = UINT_MAX;
	int far;

	for (i = 0; i < n; i++) {
		far = node < 0 || seat[i].node < 0 ? 0 : distance(seat[i].node, node);
		cost = (seat[i].load + UINT64_C(1)) * (far > 0 ? far : AT_HOME);
		if (seat[i].same < same || (seat[i].same == same && cost < least)) {
			same = seat[i].same;
			least = cost;
			best = i;
		}
	}
	return best;
}

int
place_node_of(const void *address)
{
	int node = -1;

	/* The kernel writes nothing through the address. */
	if (get_mempolicy(&node, NULL, 0, (void *)(uintptr_t)address, MPOL_F_NODE | MPOL_F_ADDR) !=
			0)
		return -1;
	return node;
}

int
place_distance(int a, int b)
{
	return numa_available() < 0 ? 0 : numa_distance(a, b);
}
