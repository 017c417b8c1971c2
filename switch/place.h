/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Chooses the worker that polls a guest's ring: one that has no other ring of that guest, near the
 * guest's memory, and not too busy.
 *
 * No state. Called by librte_vhost's thread, which gives rings to workers.
 */
#ifndef PLACE_H
#define PLACE_H

/* What the choice depends on, for one worker. */
struct seat {
	unsigned int load; /* rings that it polls already */
	int node;          /* NUMA node of its CPU */
	unsigned int same; /* rings of the same guest that it polls already */
};

/*
 * Returns the relative cost of memory of node b for a CPU of node a, as the firmware tells (ACPI,
 * SLIT): 10 on the same node. 0 or less: unknown.
 */
typedef int (*distance_fn)(int a, int b);

/*
 * Chooses one of n > 0 seats for a ring of a guest whose memory is on `node` (-1: not known), and
 * returns its position. Seats with the fewest rings of that guest come first, as its queue pairs
 * are to be served in parallel. Among those it takes the seat where the number of rings, with the
 * new one, times the distance is least: so a worker at a distance of 20 is preferred once those at
 * home poll twice as many. Among equals it takes the first.
 */
unsigned int place_choose(const struct seat *seat, unsigned int n, int node, distance_fn distance);

/* Returns the NUMA node of the page at an address; -1: not known. */
int place_node_of(const void *address);

/* Returns the distance of two nodes by this machine's firmware (a distance_fn). */
int place_distance(int a, int b);

#endif /* PLACE_H */
