/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which worker is to poll a guest's ring: one that has none of that guest's other
 * rings, near the guest's memory, and not too busy.
 *
 * No state. librte_vhost's thread, which gives rings to workers.
 */
#ifndef PLACE_H
#define PLACE_H

/* A worker, as far as the choice goes. */
struct seat {
	unsigned int load; /* rings it polls already */
	int node;          /* NUMA node of its CPU */
	unsigned int same; /* ... of those: of the guest that the new ring is of */
};

/*
 * Relative cost of memory of node b for a CPU of node a: 10 on the same node, as
 * the firmware tells (ACPI, SLIT). 0 or less: unknown.
 */
typedef int (*distance_fn)(int a, int b);

/*
 * Chooses one of n > 0 seats for a ring of a guest whose memory is on `node` (-1: not
 * known). First those with the fewest rings of that guest: its queue pairs are there
 * to be served side by side. Of those the one where rings, the new one with them, times
 * distance is least; so a worker at a distance of 20 is preferred once those at home
 * poll twice as many. Of equals the first. Returns its position.
 */
unsigned int place_choose(const struct seat *seat, unsigned int n, int node, distance_fn distance);

/* NUMA node of the page at an address; -1: not known. */
int place_node_of(const void *address);

/* Distances of this machine. */
int place_distance(int a, int b);

#endif /* PLACE_H */
