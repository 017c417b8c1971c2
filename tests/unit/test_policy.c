/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Settings of ports: tags that several share, source addresses, isolation. */
#include <inttypes.h>

#include <rte_common.h>

#include "frame/cost.h"
#include "switch/route.h"
#include "routing.h"

/* Holds a port to the addresses given, and claims those for it. */
static void
hold_to(struct rig *r, unsigned int port, const struct rte_ether_addr *mac, unsigned int n)
{
	struct conf_port *c = &r->conf.port[port];

	c->nmacs = n;
	memcpy(c->mac, mac, n * sizeof(*mac));
	r->ports.port[port].settings = c;
	r->ports.port[port].policy |= PORT_MACS;
	for (; n > 0; n--) /* they are in order */
		r->conf.mac[r->conf.nmacs++] = *mac++;
}

static void
assert_sent(struct rig *r, uint16_t port, const struct rte_ether_addr *to,
		const struct rte_ether_addr *from, uint64_t ports, enum drop_reason reason)
{
	struct frame *f;

	r->lane->burst.n = 0;
	f = routing_add(r, to, from);
	route_burst(r->lane, routing_source(r, port), &r->lane->burst);
	assert_string_equal(drop_name(f->reason), drop_name(reason));
	assert_true(routing_ports(r, 0) == ports);
}

static void
test_macs(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct rte_ether_addr own[] = {mac_of(0, 0), mac_of(0, 1)};
	struct rig *r = *state;
	struct learn_request q;

	hold_to(r, 0, own, 2);
	assert_sent(r, 0, &mac1, &mac0, PORT(1), DROP_NONE);
	assert_sent(r, 0, &mac1, &own[1], PORT(1), DROP_NONE);
	assert_true(rig_request(r, &q));
	assert_true(q.key == fdb_key(&own[1], 0) && q.port == 0);
	/* A neighbour's, the gateway's, one that nobody has: and nothing is learned. */
	assert_sent(r, 0, &mac_broadcast, &mac1, 0, DROP_SPOOFED);
	assert_sent(r, 0, &mac_broadcast, &host, 0, DROP_SPOOFED);
	assert_sent(r, 0, &mac1, &stranger, 0, DROP_SPOOFED);
	assert_false(rig_request(r, &q));
	/* Who is held to nothing may use any address but those. */
	assert_sent(r, 1, &host, &stranger, UPLINK, DROP_NONE);
	assert_true(rig_request(r, &q));
	assert_sent(r, 1, &host, &own[0], 0, DROP_SPOOFED);
	assert_sent(r, 1, &host, &own[1], 0, DROP_SPOOFED);
	assert_false(rig_request(r, &q));
	assert_sent(r, PORT_UPLINK, &mac_broadcast, &mac0, 0, DROP_VLAN); /* it has no tag */
}

/* Each address that a frame's is compared with is paid for. */
static void
test_macs_cost(void **state)
{
	const struct rte_ether_addr own[] = {mac_of(0, 0), mac_of(0, 1), mac_of(0, 2)};
	const struct rte_ether_addr mac1 = mac_of(1, 0);
	struct rig *r = *state;
	uint32_t before = r->lane->burst.cost;

	hold_to(r, 0, own, RTE_DIM(own));
	assert_sent(r, 0, &mac1, &stranger, 0, DROP_SPOOFED);
	assert_int_equal(r->lane->burst.cost - before, RTE_DIM(own) * COST_MAC);
}

/* In a burst, frames by turns with the right address and a wrong one. */
static void
test_macs_burst(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;
	unsigned int i;

	hold_to(r, 0, &mac0, 1);
	r->lane->burst.n = 0;
	for (i = 0; i < BURST_MAX; i++)
		routing_add(r, &mac1, i / 3 % 2 ? &stranger : &mac0);
	route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
	for (i = 0; i < BURST_MAX; i++) {
		assert_int_equal(r->lane->burst.frame[i].reason,
				i / 3 % 2 ? DROP_SPOOFED : DROP_NONE);
		assert_true(routing_ports(r, i) == (i / 3 % 2 ? 0 : PORT(1)));
	}
}

/* Two ports may name the same address: it is the last one's that used it. */
static void
test_mac_of_two(void **state)
{
	const struct rte_ether_addr mac1 = mac_of(1, 0), both = mac_of(7, 7);
	struct rig *r = *state;

	hold_to(r, 0, &both, 1);
	hold_to(r, 1, &both, 1);
	assert_sent(r, 0, &host, &both, UPLINK, DROP_NONE);
	assert_sent(r, 1, &host, &both, UPLINK, DROP_NONE);
	assert_sent(r, 1, &host, &mac1, 0, DROP_SPOOFED);
	assert_sent(r, SILENT, &host, &both, 0, DROP_SPOOFED);
}

static void
test_isolated(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	r->ports.port[0].policy = r->ports.port[SILENT].policy = PORT_ISOLATED;
	rig_learn(r, SILENT, &stranger);
	/* Between the two: neither what is for one of them, nor what is for all. */
	assert_route(r, 0, &stranger, 0, DROP_ISOLATED);
	assert_sent(r, SILENT, &mac0, &stranger, 0, DROP_ISOLATED);
	assert_route(r, 0, &mac_broadcast, PORT(1) | UPLINK, DROP_NONE);
	assert_sent(r, SILENT, &multicast, &stranger, PORT(1) | UPLINK, DROP_NONE);
	/* With the others, as ever. */
	assert_route(r, 0, &mac1, PORT(1), DROP_NONE);
	assert_route(r, 0, &host, UPLINK, DROP_NONE);
	assert_route(r, 1, &mac0, PORT(0), DROP_NONE);
	assert_route(r, 1, &mac_broadcast, PORT(0) | PORT(SILENT) | UPLINK, DROP_NONE);
	/* Nobody is left. */
	r->ports.port[1].sink = NULL;
	r->ports.port[PORT_UPLINK].sink = NULL;
	assert_route(r, 0, &mac_broadcast, 0, DROP_NO_PORT);
}

static void
test_isolated_by_nic(void **state)
{
	const struct rte_ether_addr mac1 = mac_of(1, 0);
	struct rig *r = *state;

	r->conf.vm2vm = VM2VM_NIC;
	fdb_set_filter(r->fdb, fdb_key(&mac1, FDB_DOMAIN), FILTER_POOL);
	assert_route(r, 0, &mac1, UPLINK, DROP_NONE);
	r->ports.port[0].policy = r->ports.port[1].policy = PORT_ISOLATED;
	assert_route(r, 0, &mac1, 0, DROP_ISOLATED);
}

/* Devices 0 and 1 have tag 10, as their ports say; SILENT and AWAY those by their place. */
static void
share_tag(struct rig *r, uint16_t tag)
{
	unsigned int i;

	r->conf.nports = 2;
	for (i = 0; i < 2; i++) {
		r->conf.port[i].vlan_given = true;
		r->conf.port[i].vlan = r->ports.port[i].vlan = tag;
		r->conf.port[i].guests = 1;
	}
	conf_map_tags(&r->conf);
}

static void
test_shared_tag(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0),
				    away = mac_of(AWAY, 0);
	const struct {
		int tag; /* -1: none */
		const struct rte_ether_addr *to, *from;
		uint64_t ports;
		enum drop_reason reason;
	} cases[] = {
			{10, &mac0, &host, PORT(0), DROP_NONE},
			{10, &mac1, &host, PORT(1), DROP_NONE},
			{10, &stranger, &host, PORT(0) | PORT(1), DROP_NONE},
			{10, &mac_broadcast, &host, PORT(0) | PORT(1), DROP_NONE},
			{10, &mac_broadcast, &host, PORT(0) | PORT(1),
					DROP_NONE},                      /* as the one before */
			{10, &mac_broadcast, &mac0, PORT(1), DROP_NONE}, /* it has come back */
			{10, &host, &host, 0, DROP_TO_SENDER},
			{10, &away, &host, 0, DROP_VLAN},   /* another tag's */
			{1000, &mac0, &host, 0, DROP_VLAN}, /* nobody's any more */
			{1001, &mac_broadcast, &host, 0, DROP_VLAN},
			{1000 + SILENT, &mac_broadcast, &host, PORT(SILENT), DROP_NONE},
			{1000 + SILENT, &mac0, &host, 0, DROP_VLAN},
			{-1, &mac0, &host, 0, DROP_VLAN},
	};
	struct rig *r = *state;
	struct frame *f;
	size_t i;

	share_tag(r, 10);
	rig_learn(r, AWAY, &away);
	r->lane->burst.n = 0;
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = routing_add(r, cases[i].to, cases[i].from);
		f->tagged = cases[i].tag >= 0;
		f->tci = f->tagged ? cases[i].tag : 10;
	}
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = &r->lane->burst.frame[i];
		if (routing_ports(r, i) != cases[i].ports || f->reason != cases[i].reason)
			fail_msg("case %zu: to %" PRIx64 ", %s", i, routing_ports(r, i),
					drop_name(f->reason));
	}
	/* Nobody of that tag takes frames. */
	r->ports.port[0].sink = r->ports.port[1].sink = NULL;
	r->lane->burst.n = 0;
	f = routing_add(r, &mac_broadcast, &host);
	f->tagged = true;
	f->tci = 10;
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	assert_int_equal(f->reason, DROP_NO_PORT);
	assert_true(routing_ports(r, 0) == 0);
}

/* Ports with no tag, beside ports that have one. */
static void
test_untagged_ports(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0);
	struct rig *r = *state;
	struct frame *f;

	share_tag(r, 0);
	r->lane->burst.n = 0;
	routing_add(r, &mac0, &host);
	routing_add(r, &mac_broadcast, &host);
	f = routing_add(r, &mac_broadcast, &host); /* a priority, and no VLAN */
	f->tagged = true;
	f->tci = 5 << 13;
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	assert_true(routing_ports(r, 0) == PORT(0));
	assert_true(routing_ports(r, 1) == (PORT(0) | PORT(1)));
	assert_true(routing_ports(r, 2) == (PORT(0) | PORT(1)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, routing_setup, routing_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_macs),
			TEST(test_macs_cost),
			TEST(test_macs_burst),
			TEST(test_mac_of_two),
			TEST(test_isolated),
			TEST(test_isolated_by_nic),
			TEST(test_shared_tag),
			TEST(test_untagged_ports),
	};

	unit_both();
	return cmocka_run_group_tests_name("policy", tests, unit_eal, unit_eal_end);
}
