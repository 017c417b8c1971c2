/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Policy: where a frame goes. Mechanics (fetching, copying, waiting) are in forward.c; the rules are
 * those of doc/architecture.rst, "What happens to a frame".
 *
 * What it writes belongs to the lane. Exceptions: learn.h takes its requests, and workers share a port's credit for
 * those (`learned` of port.h). Called by the lane's worker.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdint.h>

struct burst;
struct lane;
struct source;

/*
 * Learns the sources of a burst and fills l->dests with the frames for each port. A frame without a
 * destination gets its drop reason. That worker has fetched the burst.
 */
void route_burst(struct lane *l, struct source *s, struct burst *b);

#endif /* ROUTE_H */
