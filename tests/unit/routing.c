/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What tests of routing share: see routing.h. */
#include <inttypes.h>

#include "switch/route.h"
#include "routing.h"

/* Routing only asks whether there is one that takes frames. */
static bool
is_open(const struct sink *k)
{
	return k->ops != NULL;
}

static const struct sink_ops uplink_ops = {.is_open = is_open};
static struct sink uplink_sink = {.ops = &uplink_ops};

struct source routing_uplink = {.port = PORT_UPLINK, .device = SOURCE_ANY};
const struct rte_ether_addr host = {{0x02, 0xbb, 0, 0, 0, 1}};
const struct rte_ether_addr stranger = {{0x02, 0xcc, 0, 0, 0, 1}};
const struct rte_ether_addr multicast = {{0x01, 0, 0x5e, 0, 0, 1}};

int
routing_setup(void **state)
{
	struct rte_ether_addr mac;
	struct rig *r = rig_create(GUESTS);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		mac = mac_of(i, 0);
		rig_learn(r, i, &mac);
	}
	rig_learn(r, PORT_UPLINK, &host);
	r->ports.port[AWAY].sink = NULL;
	r->ports.port[PORT_UPLINK].sink = &uplink_sink;
	routing_uplink = (struct source){.port = PORT_UPLINK, .device = SOURCE_ANY};
	*state = r;
	return 0;
}

int
routing_teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

struct frame *
routing_add(struct rig *r, const struct rte_ether_addr *to, const struct rte_ether_addr *from)
{
	struct frame *f = &r->lane->burst.frame[r->lane->burst.n++];

	*f = (struct frame){.eth = {.dst_addr = *to, .src_addr = *from}, .len = 60};
	return f;
}

void
routing_kinds(unsigned int kind[BURST_MAX], unsigned int kinds, uint64_t *random)
{
	unsigned int i;

	for (i = 0; i < BURST_MAX; i++)
		kind[i] = i > 0 && unit_random(random) % 2 ? kind[i - 1]
							   : unit_random(random) % kinds;
}

uint64_t
routing_ports(const struct rig *r, unsigned int i)
{
	const struct dests *d = &r->lane->dests;
	uint64_t ports = 0;
	unsigned int k;

	for (k = 0; k < d->n; k++) {
		assert_true(d->want[k] != 0);          /* nobody is visited in vain, */
		assert_true(d->slot[d->port[k]] == k); /* and nobody twice */
		if (d->want[k] >> i & 1)
			ports |= d->port[k] == PORT_UPLINK ? UPLINK : PORT(d->port[k]);
	}
	return ports;
}

struct source *
routing_source(struct rig *r, uint16_t port)
{
	return port == PORT_UPLINK ? &routing_uplink : &r->tx[port]->vq.source;
}

void
assert_route(struct rig *r, uint16_t port, const struct rte_ether_addr *to, uint64_t ports,
		enum drop_reason reason)
{
	const struct rte_ether_addr from = port == PORT_UPLINK ? host : mac_of(port, 0);
	struct frame *f;

	r->lane->burst.n = 0;
	f = routing_add(r, to, &from);
	route_burst(r->lane, routing_source(r, port), &r->lane->burst);
	if (routing_ports(r, 0) != ports)
		fail_msg("to %" PRIx64 ", not %" PRIx64, routing_ports(r, 0), ports);
	assert_string_equal(drop_name(f->reason), drop_name(reason));
}
