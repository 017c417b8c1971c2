/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What tests of routing share: a rig with guests of all kinds, and where a frame is to go. */
#ifndef UNIT_ROUTING_H
#define UNIT_ROUTING_H

#include "rig.h"
#include "switch/source.h"

#define GUESTS 4
#define SILENT 2 /* has sent nothing yet */
#define AWAY 3   /* has no receive ring */

/* Ports as bits, to compare sets: the uplink is the highest. */
#define UPLINK (UINT64_C(1) << 63)
#define PORT(n) (UINT64_C(1) << (n))

extern struct source routing_uplink;
extern const struct rte_ether_addr host; /* beyond the uplink */
extern const struct rte_ether_addr stranger, multicast;

/* Fixtures: guests 0 and 1 are known, 2 is silent, 3 is away; there is an uplink, and a host beyond it. */
int routing_setup(void **state);
int routing_teardown(void **state);

/* Adds a frame to the burst. */
struct frame *
routing_add(struct rig *r, const struct rte_ether_addr *to, const struct rte_ether_addr *from);

/* Chooses a kind for each frame of a burst, of so many, in runs as traffic has them. */
void routing_kinds(unsigned int kind[BURST_MAX], unsigned int kinds, uint64_t *random);

/* Where frame i of the burst is to go. */
uint64_t routing_ports(const struct rig *r, unsigned int i);

struct source *routing_source(struct rig *r, uint16_t port);

/* One frame from a port must go to exactly these ports; if there are none, it must be dropped for that reason. */
void assert_route(struct rig *r, uint16_t port, const struct rte_ether_addr *to, uint64_t ports,
		enum drop_reason reason);

#endif /* UNIT_ROUTING_H */
