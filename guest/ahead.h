/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Brings what a worker will soon read of a ring into the cache.
 *
 * With many busy guests rings do not stay in the cache. Then each load of a visit waits for the one before it:
 * the available index, an available entry, a descriptor. So the first two are prefetched while another guest
 * is visited, and descriptors in the visit after that (switch/round.c).
 *
 * Any worker, between two bursts. The position in a receive ring may be changing in another worker; nothing
 * depends on it, except which lines are prefetched.
 */
#ifndef GUEST_AHEAD_H
#define GUEST_AHEAD_H

#include <stdbool.h>

struct virtqueue;

/* Prefetches the index and the entries of a split ring's next burst; if it comes `next`, descriptors. */
void ahead_ring(const struct virtqueue *vq, bool next);

#endif /* GUEST_AHEAD_H */
