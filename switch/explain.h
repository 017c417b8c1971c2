/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Tells where a frame would go, without sending it: route_burst() itself routes it, in a lane that is made
 * for it. This learns and counts nothing, and keeps no address from ageing.
 *
 * Main lcore.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/limits.h"
#include "frame/drops.h"
#include "switch/fdb.h"

struct shared;

/* A frame. */
struct question {
	uint16_t from; /* port */
	uint16_t vlan; /* VLAN of the frame's tag: a guest's own, or the uplink's; 0: it has no tag */
	struct rte_ether_addr source, to;
};

/* What would become of the frame. */
struct explanation {
	enum drop_reason reason; /* DROP_NONE: it goes to the ports below */
	bool flooded;            /* it goes to all that may get it */
	bool tagged; /* with --vm2vm 2: it goes out with the tag `tci`, for the NIC to sort */
	uint16_t tci;
	uint16_t n;
	uint16_t port[PORT_MAX];
	struct fdb_entry source, to; /* what the table has of its addresses; key 0: nothing */
};

/*
 * Explains a frame. It does not tell whether a destination has room, nor whether the uplink's
 * link is up. A frame of the uplink is taken to come from its default queue, not from a VMDq pool. Returns
 * false without memory.
 */
bool explain_frame(const struct shared *all, const struct question *q, struct explanation *x);

#endif /* EXPLAIN_H */
