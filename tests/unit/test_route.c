/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Policy: which frame of a guest goes where; what is learned. */
#include <rte_cycles.h>

#include "frame/cost.h"
#include "frame/offload.h"
#include "switch/route.h"
#include "routing.h"

/* Three guests of whom nothing is known. */
static int
setup_unknown(void **state)
{
	*state = rig_create(3);
	return 0;
}

static void
test_guest(void **state)
{
	const struct rte_ether_addr zero = {{0}};
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	assert_route(r, 0, &mac1, PORT(1), DROP_NONE);
	assert_route(r, 1, &mac0, PORT(0), DROP_NONE);
	assert_route(r, SILENT, &mac0, PORT(0), DROP_NONE);
	assert_route(r, 0, &host, UPLINK, DROP_NONE);
	assert_route(r, 0, &mac0, 0, DROP_TO_SENDER);
	assert_route(r, 0, &stranger, PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
	assert_route(r, 0, &mac_broadcast, PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
	assert_route(r, 1, &multicast, PORT(0) | PORT(SILENT) | UPLINK, DROP_NONE);
	assert_route(r, AWAY, &mac_broadcast, PORT(0) | PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
	/* Nobody's address, and so an unknown one. */
	assert_route(r, 0, &zero, PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
}

/* An address that nobody can have is unknown also while the table's first place is free. */
static void
test_zero_destination_empty_table(void **state)
{
	const struct rte_ether_addr zero = {{0}};
	struct rig *r = *state;

	assert_route(r, 0, &zero, PORT(1) | PORT(2), DROP_NONE);
	assert_route(r, 1, &zero, PORT(0) | PORT(2), DROP_NONE);
}

static void
test_no_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0);
	struct rig *r = *state;

	r->ports.port[PORT_UPLINK].sink = NULL;
	assert_route(r, 0, &stranger, PORT(1) | PORT(SILENT), DROP_NONE);
	r->rx[SILENT]->vq.fault = FAULT_LOOP; /* stopped */
	assert_route(r, 0, &mac_broadcast, PORT(1), DROP_NONE);
	r->ports.port[1].sink = NULL;
	assert_route(r, 0, &mac_broadcast, 0, DROP_NO_PORT);
	assert_route(r, 0, &stranger, 0, DROP_NO_PORT);
	assert_route(r, 1, &mac0, PORT(0), DROP_NONE);
}

/* A guest that is paused for a moment gets flooded frames when it is back. */
static void
test_paused(void **state)
{
	struct rte_ether_addr mac1 = mac_of(1, 0);
	struct rig *r = *state;

	r->set[1].vq[0] = NULL;
	assert_route(r, 0, &mac_broadcast, PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
	assert_route(r, 0, &stranger, PORT(1) | PORT(SILENT) | UPLINK, DROP_NONE);
	assert_route(r, 0, &mac1, PORT(1), DROP_NONE);
	r->ports.port[1].sink = NULL; /* gone */
	assert_route(r, 0, &mac_broadcast, PORT(SILENT) | UPLINK, DROP_NONE);
}

static void
test_vm2vm_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	r->conf.vm2vm = VM2VM_UPLINK;
	assert_route(r, 0, &mac1, UPLINK, DROP_NONE);
	assert_route(r, 0, &mac0, UPLINK, DROP_NONE);
	assert_route(r, 0, &mac_broadcast, UPLINK, DROP_NONE);
	assert_route(r, 0, &stranger, UPLINK, DROP_NONE);
}

/* 01-80-C2-00-00-00 to 0F stay on their link, whoever sends them; their neighbours are ordinary groups. */
static void
test_link_local(void **state)
{
	static const struct {
		struct rte_ether_addr to;
		bool stays;
	} cases[] = {
			{{{0x01, 0x80, 0xc2, 0, 0, 0x00}}, true}, /* spanning tree */
			{{{0x01, 0x80, 0xc2, 0, 0, 0x01}}, true}, /* pause */
			{{{0x01, 0x80, 0xc2, 0, 0, 0x02}}, true}, /* LACP */
			{{{0x01, 0x80, 0xc2, 0, 0, 0x03}}, true}, /* 802.1X */
			{{{0x01, 0x80, 0xc2, 0, 0, 0x0e}}, true}, /* LLDP */
			{{{0x01, 0x80, 0xc2, 0, 0, 0x0f}}, true},
			{{{0x01, 0x80, 0xc2, 0, 0, 0x10}}, false},
			{{{0x01, 0x80, 0xc2, 0, 0, 0x21}}, false}, /* GVRP */
			{{{0x01, 0x80, 0xc2, 0, 1, 0x00}}, false},
			{{{0x01, 0x80, 0xc3, 0, 0, 0x00}}, false},
			{{{0x03, 0x80, 0xc2, 0, 0, 0x00}}, false},
	};
	struct rig *r = *state;
	unsigned int vm2vm, i;
	bool forward;

	for (i = 0; i < 2 * RTE_DIM(cases); i++) {
		forward = i % 2;
		r->conf.forward_bpdu = forward;
		for (vm2vm = VM2VM_UPLINK; vm2vm <= VM2VM_NIC; vm2vm++) {
			bool stays = cases[i / 2].stays && !forward;
			uint64_t to = vm2vm == VM2VM_UPLINK ? UPLINK
							    : PORT(1) | PORT(SILENT) | UPLINK;

			r->conf.vm2vm = vm2vm;
			r->conf.tagged = true;
			assert_route(r, 0, &cases[i / 2].to, stays ? 0 : to,
					stays ? DROP_LINK_LOCAL : DROP_NONE);
			/* From the wire these come without a tag, so they belong to no device. */
			assert_route(r, PORT_UPLINK, &cases[i / 2].to, 0,
					stays ? DROP_LINK_LOCAL : DROP_VLAN);
			r->conf.tagged = false;
			assert_route(r, PORT_UPLINK, &cases[i / 2].to,
					stays ? 0 : PORT(0) | PORT(1) | PORT(SILENT),
					stays ? DROP_LINK_LOCAL : DROP_NONE);
		}
	}
}

static void
test_bad_source(void **state)
{
	static const struct rte_ether_addr wrong[] = {
			{{0}},
			{{0x01, 0, 0x5e, 0, 0, 1}},
			{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
			{{0x03, 0, 0, 0, 0, 0}},
	};
	struct rig *r = *state;
	struct learn_request q;
	size_t i;

	r->lane->burst.n = 0;
	for (i = 0; i < RTE_DIM(wrong); i++)
		routing_add(r, &host, &wrong[i]);
	route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
	assert_int_equal(r->lane->dests.n, 0);
	for (i = 0; i < RTE_DIM(wrong); i++)
		assert_int_equal(r->lane->burst.frame[i].reason, DROP_SOURCE);
	assert_false(rig_request(r, &q));
}

/* own-tags=drop: each frame of a flow by its own tag; VLAN 0 is none. */
static void
test_own_tags(void **state)
{
	static const struct {
		uint16_t type, tci;
		uint32_t len;
		bool passes;
		uint16_t inner; /* the type within the tag; 0: none that matters */
	} cases[] = {
			{RTE_ETHER_TYPE_IPV4, 0x0007, 64, true, 0},
			{RTE_ETHER_TYPE_VLAN, 0x0007, 64, false, 0},
			{RTE_ETHER_TYPE_VLAN, 0xe007, 64, false, 0},
			{RTE_ETHER_TYPE_QINQ, 0x0007, 64, false, 0},
			{RTE_ETHER_TYPE_VLAN, 0xa000, 64, true, 0},
			{RTE_ETHER_TYPE_QINQ, 0xa000, 64, true, 0},
			{RTE_ETHER_TYPE_VLAN, 0x0fff, 64, false, 0},
			{RTE_ETHER_TYPE_VLAN, 0x0007, 14, true, 0}, /* the tag is not there */
			{RTE_ETHER_TYPE_VLAN, 0x0007, 16, false, 0},
			/* Who takes the tag of VLAN 0 off finds another one. */
			{RTE_ETHER_TYPE_VLAN, 0xa000, 64, false, RTE_ETHER_TYPE_VLAN},
			{RTE_ETHER_TYPE_QINQ, 0x0000, 64, false, RTE_ETHER_TYPE_QINQ},
			{RTE_ETHER_TYPE_VLAN, 0xa000, 64, true, RTE_ETHER_TYPE_IPV4},
	};
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	static uint8_t bytes[RTE_DIM(cases)][64];
	struct fragment frag[RTE_DIM(cases)];
	struct rig *r = *state;
	struct frame *f;
	size_t i;
	unsigned int drop;
	uint16_t be;

	for (drop = 0; drop < 2; drop++) {
		r->ports.port[0].policy = drop ? PORT_NO_TAGS : 0;
		r->lane->burst.n = 0;
		for (i = 0; i < RTE_DIM(cases); i++) {
			f = routing_add(r, &mac1, &mac0);
			f->eth.ether_type = rte_cpu_to_be_16(cases[i].type);
			be = rte_cpu_to_be_16(cases[i].tci);
			memcpy(bytes[i] + 14, &be, 2);
			be = rte_cpu_to_be_16(cases[i].inner);
			memcpy(bytes[i] + 16, &be, 2);
			frag[i] = (struct fragment){bytes[i], cases[i].len};
			f->frag = &frag[i];
			f->nfrags = 1;
			f->len = cases[i].len;
		}
		route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
		for (i = 0; i < RTE_DIM(cases); i++) {
			bool passes = !drop || cases[i].passes;

			assert_int_equal(r->lane->burst.frame[i].reason,
					passes ? DROP_NONE : DROP_OWN_TAG);
			assert_true(routing_ports(r, i) == (passes ? PORT(1) : 0));
		}
	}
}

/* A frame with the tag of no VLAN, and a checksum that is to be written over the tag, or over the type within it. */
static void
test_checksum_as_a_tag(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	uint8_t bytes[64] = {0};
	struct fragment frag = {bytes, sizeof(bytes)};
	struct rig *r = *state;
	struct frame *f;
	unsigned int at;

	r->ports.port[0].policy = PORT_NO_TAGS;
	for (at = 14; at <= 18; at++) {
		r->lane->burst.n = 0;
		f = routing_add(r, &mac1, &mac0);
		f->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
		f->frag = &frag;
		f->nfrags = 1;
		f->len = sizeof(bytes);
		f->offload = OFFLOAD_CSUM;
		f->vnet.csum_start = 14;
		f->vnet.csum_offset = at - 14;
		route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
		assert_int_equal(
				r->lane->burst.frame[0].reason, at < 18 ? DROP_OWN_TAG : DROP_NONE);
	}
}

/* --vm2vm 2: to the uplink, with the destination's tag; the rest as ever. */
static void
test_vm2vm_nic(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;
	struct frame *f;
	unsigned int i;

	r->conf.vm2vm = VM2VM_NIC;
	fdb_set_filter(r->fdb, fdb_key(&mac1, FDB_DOMAIN), FILTER_POOL);
	r->lane->burst.n = 0;
	for (i = 0; i < 2; i++) /* a flow: the second like the first */
		routing_add(r, &mac1, &mac0);
	routing_add(r, &mac1, &mac0)->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	routing_add(r, &host, &mac0)->tagged = true;
	routing_add(r, &mac_broadcast, &mac0)->tagged = true;
	routing_add(r, &mac0, &mac0);
	route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
	f = r->lane->burst.frame;
	for (i = 0; i < 2; i++)
		assert_true(routing_ports(r, i) == UPLINK && f[i].tagged && f[i].tci == 1001);
	assert_true(routing_ports(r, 2) == PORT(1)); /* its own tag would lead it elsewhere */
	assert_true(routing_ports(r, 3) == UPLINK && !f[3].tagged);
	assert_true(routing_ports(r, 4) == (PORT(1) | PORT(SILENT) | UPLINK) && !f[4].tagged);
	assert_int_equal(f[5].reason, DROP_TO_SENDER);
}

/* An address that the NIC sorts into no pool: there was no room for its filter, or it is new. */
static void
test_vm2vm_nic_without_filter(void **state)
{
	const enum filter_state others[] = {FILTER_NONE, FILTER_PORT};
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;
	size_t i;

	r->conf.vm2vm = VM2VM_NIC;
	for (i = 0; i < RTE_DIM(others); i++) {
		fdb_set_filter(r->fdb, fdb_key(&mac1, FDB_DOMAIN), others[i]);
		r->lane->burst.n = 0;
		routing_add(r, &mac1, &mac0);
		route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
		assert_true(routing_ports(r, 0) == PORT(1) && !r->lane->burst.frame[0].tagged);
	}
}

/* A whole burst of all kinds, mixed: each frame is routed as if it were alone. */
static void
test_burst(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		const struct rte_ether_addr *to;
		uint64_t ports;
	} kinds[] = {
			{&mac1, PORT(1)},
			{&host, UPLINK},
			{&mac0, 0},
			{&stranger, PORT(1) | PORT(SILENT) | UPLINK},
			{&mac_broadcast, PORT(1) | PORT(SILENT) | UPLINK},
	};
	unsigned int round, i, kind[BURST_MAX] = {0};
	struct rig *r = *state;
	uint64_t random = 3;

	for (round = 0; round < 500; round++) {
		r->lane->burst.n = 0;
		routing_kinds(kind, RTE_DIM(kinds), &random);
		for (i = 0; i < BURST_MAX; i++)
			routing_add(r, kinds[kind[i]].to, &mac0);
		/* One that was lost when it was fetched stays so. */
		i = unit_random(&random) % BURST_MAX;
		frame_lose(&r->lane->burst.frame[i], DROP_SHORT);
		route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
		assert_int_equal(routing_ports(r, i), 0);
		assert_int_equal(r->lane->burst.frame[i].reason, DROP_SHORT);
		kind[i] = UINT32_MAX;
		for (i = 0; i < BURST_MAX; i++)
			if (kind[i] != UINT32_MAX)
				assert_int_equal(routing_ports(r, i), kinds[kind[i]].ports);
	}
}

/* Returns true if the main lcore is asked to learn something after one frame of `from` at a port, and what. */
static bool
asked(struct rig *r, uint16_t port, const struct rte_ether_addr *from, struct learn_request *q)
{
	struct learn_request more;

	r->lane->burst.n = 0;
	routing_add(r, &stranger, from);
	route_burst(r->lane, routing_source(r, port), &r->lane->burst);
	if (!rig_request(r, q))
		return false;
	assert_false(rig_request(r, &more));
	return true;
}

static void
test_learning(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), fresh = mac_of(0, 9);
	struct rig *r = *state;
	struct learn_request q;

	r->conf.tagged = false; /* otherwise a frame of the uplink without a tag teaches nothing */
	r->ports.port[0].epoch = 5;
	assert_true(asked(r, 0, &fresh, &q));
	assert_true(q.key == fdb_key(&fresh, 0));
	assert_int_equal(q.port, 0);
	assert_int_equal(q.epoch, 5);
	assert_true(asked(r, 0, &fresh, &q)); /* until it is learned */
	rig_learn(r, 0, &fresh);
	assert_false(asked(r, 0, &fresh, &q));
	/* It moved to guest 1; on the uplink, our own frames may have come back. */
	assert_true(asked(r, 1, &fresh, &q));
	assert_int_equal(q.port, 1);
	assert_false(asked(r, PORT_UPLINK, &fresh, &q));
	assert_true(asked(r, PORT_UPLINK, &stranger, &q));
	assert_int_equal(q.port, PORT_UPLINK);
	assert_true(asked(r, 0, &host, &q)); /* a host that became a guest */
	assert_int_equal(q.port, 0);
	/* An address that is seen is in use; one that is not in use moves to the uplink, if it comes from there. */
	r->fdb->clock = 1;
	assert_false(asked(r, PORT_UPLINK, &fresh, &q));
	r->fdb->clock = 100;
	assert_true(asked(r, PORT_UPLINK, &fresh, &q));
	assert_int_equal(q.port, PORT_UPLINK);
	assert_false(asked(r, 0, &mac0, &q));
	assert_int_equal(fdb_lookup(r->fdb, &r->lane->hints, fdb_key(&mac0, 0))->seen, 100);
	assert_false(asked(r, PORT_UPLINK, &mac0, &q));
}

static void
test_learning_full(void **state)
{
	struct rte_ether_addr mac;
	struct rig *r = *state;
	struct learn_request q;
	unsigned int i;

	for (i = 1; i < FDB_PER_GUEST; i++) {
		mac = mac_of(0, i);
		rig_learn(r, 0, &mac);
	}
	assert_false(asked(r, 0, &stranger, &q));
	assert_int_equal(rig_count(r, 0)->unlearned, 1);
	assert_true(asked(r, 1, &stranger, &q));
}

/* Addresses that a guest makes up: few of them become requests, by however many rings it sends. */
static void
test_learning_bounded(void **state)
{
	struct source second = {.port = 0, .device = SOURCE_ANY};
	struct rte_ether_addr mac;
	struct rig *r = *state;
	unsigned int i, n, attempt;
	uint64_t period = rte_get_tsc_hz() / 1000, begin = 0, end = period;
	struct learn_request q;

	/* Within one millisecond of the TSC: tried again where another one had begun. */
	for (attempt = 0; attempt < 1000 && begin / period != end / period; attempt++) {
		r->lane->burst.n = 0;
		for (i = 0; i < BURST_MAX; i++) {
			mac = mac_of(100, i);
			routing_add(r, &stranger, &mac);
		}
		r->ports.port[0].learned = 0;
		begin = rte_rdtsc();
		r->lane->burst.n = 10;
		route_burst(r->lane, routing_source(r, 0), &r->lane->burst);
		r->lane->burst.n = BURST_MAX;
		route_burst(r->lane, &second, &r->lane->burst);
		end = rte_rdtsc();
		for (n = 0; rig_request(r, &q); n++)
			;
	}
	assert_int_equal(n, 16);
	/* When one port is out of credit, no other is affected. */
	assert_true(asked(r, 1, &stranger, &q));
}

/* Returns the cost to route two frames of guest 0, from these addresses. */
static uint32_t
cost_of(struct rig *r, const struct rte_ether_addr *to, const struct rte_ether_addr *from)
{
	struct burst *b = &r->lane->burst;

	b->n = b->cost = 0;
	routing_add(r, to, from);
	routing_add(r, to, from);
	route_burst(r->lane, routing_source(r, 0), b);
	return b->cost;
}

/* Only what most frames do not need is charged here: searches of the table, requests, a look at all ports. */
static void
test_cost(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	/* The table's first address, mac0, is what all hints name as yet. */
	assert_int_equal(cost_of(r, &mac1, &mac0), COST_SEARCH);
	assert_int_equal(cost_of(r, &mac1, &mac0), 0);
	assert_int_equal(cost_of(r, &mac1, &stranger), 2 * COST_SEARCH);
	assert_int_equal(cost_of(r, &mac1, &stranger), 2 * COST_SEARCH);
	assert_int_equal(cost_of(r, &mac1, &host), 2 * COST_SEARCH); /* it is the uplink's */
	assert_int_equal(cost_of(r, &mac1, &host), COST_SEARCH);
	assert_int_equal(cost_of(r, &mac_broadcast, &mac0), GUESTS * COST_FLOOD);
	assert_int_equal(cost_of(r, &stranger, &mac0), COST_SEARCH + GUESTS * COST_FLOOD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, routing_setup, routing_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_guest),
			TEST(test_cost),
			cmocka_unit_test_setup_teardown(test_zero_destination_empty_table,
					setup_unknown, routing_teardown),
			TEST(test_no_uplink),
			TEST(test_paused),
			TEST(test_vm2vm_uplink),
			TEST(test_link_local),
			TEST(test_bad_source),
			TEST(test_own_tags),
			TEST(test_checksum_as_a_tag),
			TEST(test_vm2vm_nic),
			TEST(test_vm2vm_nic_without_filter),
			TEST(test_burst),
			TEST(test_learning),
			TEST(test_learning_full),
			TEST(test_learning_bounded),
	};

	return cmocka_run_group_tests_name("route", tests, unit_eal, unit_eal_end);
}
