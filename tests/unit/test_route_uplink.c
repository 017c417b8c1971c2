/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Policy: which frame goes where, from either kind of uplink, and from a VMDq pool. */
#include <inttypes.h>

#include "frame/cost.h"
#include "switch/route.h"
#include "routing.h"

#define CROWD 100
#define TAG 7
#define ODD_FRAMES UINT64_C(0xaaaaaaaaaaaaaaaa)

static void
test_untagged_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0);
	struct rig *r = *state;

	r->conf.vlan_base = 0;
	conf_map_tags(&r->conf);
	assert_route(r, PORT_UPLINK, &mac0, PORT(0), DROP_NONE);
	assert_route(r, PORT_UPLINK, &host, 0, DROP_TO_SENDER);
	assert_route(r, PORT_UPLINK, &stranger, PORT(0) | PORT(1) | PORT(SILENT), DROP_NONE);
	assert_route(r, PORT_UPLINK, &mac_broadcast, PORT(0) | PORT(1) | PORT(SILENT), DROP_NONE);
	assert_route(r, PORT_UPLINK, &multicast, PORT(0) | PORT(1) | PORT(SILENT), DROP_NONE);
}

static void
test_tagged_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		int tci; /* -1: no tag */
		const struct rte_ether_addr *to;
		uint64_t ports;
		enum drop_reason reason;
	} cases[] = {
			{1000, &mac0, PORT(0), DROP_NONE},
			{1001, &mac1, PORT(1), DROP_NONE},
			{0xe000 | 1001, &mac1, PORT(1), DROP_NONE}, /* priority */
			{0x1000 | 1001, &mac1, PORT(1), DROP_NONE}, /* drop eligible */
			{1000, &mac_broadcast, PORT(0), DROP_NONE},
			{1001, &multicast, PORT(1), DROP_NONE},
			{1000, &stranger, 0, DROP_UNMATCHED},
			{1000, &host, 0, DROP_UNMATCHED},
			{1000, &mac1, 0, DROP_VLAN}, /* another device's address */
			{1001, &mac0, 0, DROP_VLAN},
			{1000 + SILENT, &stranger, PORT(SILENT), DROP_NONE},
			{1000 + SILENT, &host, PORT(SILENT), DROP_NONE},
			{1000 + SILENT, &mac_broadcast, PORT(SILENT), DROP_NONE},
			{1000 + SILENT, &mac0, 0, DROP_VLAN},
			/* Paused: it may be back in a moment, and the frame waits for that. */
			{1000 + AWAY, &stranger, PORT(AWAY), DROP_NONE},
			{1000 + AWAY, &mac_broadcast, PORT(AWAY), DROP_NONE},
			{1000 + GUESTS, &mac_broadcast, 0, DROP_VLAN}, /* never used */
			{1255, &mac_broadcast, 0, DROP_VLAN},
			{1256, &mac_broadcast, 0, DROP_VLAN}, /* past all devices */
			{4095, &mac_broadcast, 0, DROP_VLAN},
			{999, &mac0, 0, DROP_VLAN},
			{0, &mac0, 0, DROP_VLAN},
			{-1, &mac0, 0, DROP_VLAN},
			{-1, &mac_broadcast, 0, DROP_VLAN},
			{-1, &stranger, 0, DROP_VLAN},
	};
	struct rig *r = *state;
	struct frame *f;
	size_t i;

	r->lane->burst.n = 0;
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = routing_add(r, cases[i].to, &host);
		f->tagged = cases[i].tci >= 0;
		f->tci = f->tagged ? cases[i].tci : 1000; /* stale: not to be looked at */
	}
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = &r->lane->burst.frame[i];
		if (routing_ports(r, i) != cases[i].ports || f->reason != cases[i].reason)
			fail_msg("case %zu: to %" PRIx64 ", %s", i, routing_ports(r, i),
					drop_name(f->reason));
	}
}

/* A frame with device 1's tag (unless another is named) that `from` has sent. */
static void
assert_from_uplink(struct rig *r, const struct rte_ether_addr *to,
		const struct rte_ether_addr *from, uint16_t tag, uint64_t ports,
		enum drop_reason reason)
{
	struct frame *f;

	r->lane->burst.n = 0;
	f = routing_add(r, to, from);
	f->tagged = true;
	f->tci = tag;
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	assert_int_equal(f->reason, reason);
	assert_true(routing_ports(r, 0) == ports);
}

/* What a pool brings is for its device alone, whatever the NIC took it for. */
static void
test_pool(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	routing_uplink.device = 1;
	assert_from_uplink(r, &mac1, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac_broadcast, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &stranger, &host, 1001, 0, DROP_UNMATCHED);
	assert_from_uplink(r, &mac0, &host, 1001, 0, DROP_VLAN);
	assert_from_uplink(r, &mac1, &host, 1000, 0, DROP_VLAN);
	assert_from_uplink(r, &mac0, &host, 1000, 0, DROP_VLAN);
	assert_from_uplink(r, &mac_broadcast, &host, 1000, 0, DROP_VLAN);
}

/* If the software's queue gets a copy of what pools get, the copy is dropped. */
static void
test_copies(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0), more = mac_of(0, 7);
	struct rig *r = *state;

	rig_learn(r, 0, &more);
	fdb_set_filter(r->fdb, fdb_key(&mac0, 0), FILTER_POOL);
	fdb_set_filter(r->fdb, fdb_key(&more, 0), FILTER_PORT);
	fdb_set_filter(r->fdb, fdb_key(&stranger, 0), FILTER_POOL); /* not there: nothing happens */
	routing_uplink.copied = 1; /* device 0 has a pool, 1 has none */
	assert_from_uplink(r, &mac_broadcast, &host, 1000, 0, DROP_COPY);
	assert_from_uplink(r, &mac0, &host, 1000, 0, DROP_COPY);
	assert_from_uplink(r, &more, &host, 1000, PORT(0), DROP_NONE); /* found no filter */
	assert_from_uplink(r, &mac_broadcast, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac1, &host, 1001, PORT(1), DROP_NONE);
}

/* A group frame that the wire, or the NIC's loopback, brings back to its sender. */
static void
test_reflected(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct rig *r = *state;

	assert_from_uplink(r, &mac_broadcast, &mac1, 1001, 0, DROP_TO_SENDER);
	assert_from_uplink(r, &mac_broadcast, &mac0, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac1, &mac0, 1001, PORT(1), DROP_NONE);
	/*
	 * A frame to its own sender (802.1Q: handled as at any port), and one that only its sender
	 * would have got.
	 */
	assert_from_uplink(r, &mac1, &mac1, 1001, 0, DROP_TO_SENDER);
	assert_from_uplink(r, &stranger, &mac1, 1001, 0, DROP_TO_SENDER);
}

/* The same on an untagged uplink: all others get their copy. */
static void
test_reflected_untagged(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		const struct rte_ether_addr *to, *from;
		uint64_t ports;
		enum drop_reason reason;
	} cases[] = {
			{&multicast, &mac1, PORT(0) | PORT(SILENT), DROP_NONE},
			{&multicast, &mac1, PORT(0) | PORT(SILENT), DROP_NONE}, /* a row of them */
			{&mac_broadcast, &mac0, PORT(1) | PORT(SILENT), DROP_NONE},
			{&stranger, &mac0, PORT(1) | PORT(SILENT), DROP_NONE},
			{&mac_broadcast, &host, PORT(0) | PORT(1) | PORT(SILENT), DROP_NONE},
			{&mac_broadcast, &mac1, PORT(0) | PORT(SILENT), DROP_NONE},
			{&mac1, &mac0, PORT(1),
					DROP_NONE}, /* --vm2vm 0 with a wire that sends it back */
			{&mac0, &mac0, 0, DROP_TO_SENDER},
			{&host, &mac0, 0, DROP_TO_SENDER},
	};
	struct rig *r = *state;
	struct learn_request q;
	size_t i;

	r->conf.tagged = false;
	r->lane->burst.n = 0;
	for (i = 0; i < RTE_DIM(cases); i++)
		routing_add(r, cases[i].to, cases[i].from);
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	for (i = 0; i < RTE_DIM(cases); i++)
		if (routing_ports(r, i) != cases[i].ports ||
				r->lane->burst.frame[i].reason != cases[i].reason)
			fail_msg("case %zu: to %" PRIx64 ", %s", i, routing_ports(r, i),
					drop_name(r->lane->burst.frame[i].reason));
	assert_false(rig_request(r, &q)); /* nobody has moved */
	/* If nobody else is there, it was for its own sender. */
	r->ports.port[1].sink = r->ports.port[SILENT].sink = NULL;
	assert_from_uplink(r, &mac_broadcast, &mac0, 0, 0, DROP_TO_SENDER);
}

/* The same with frames of the uplink, where the tag counts too. */
static void
test_burst_of_uplink(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		const struct rte_ether_addr *to;
		int tag; /* 0: none */
		uint64_t ports;
	} kinds[] = {
			{&mac0, 1000, PORT(0)},
			{&mac0, 1001, 0},
			{&mac0, 0, 0},
			{&mac1, 1001, PORT(1)},
			{&mac_broadcast, 1000, PORT(0)},
			{&mac_broadcast, 1001, PORT(1)},
			{&mac_broadcast, 0, 0},
			{&stranger, 1000, 0},
			{&stranger, 1000 + SILENT, PORT(SILENT)},
	};
	unsigned int round, i, kind[BURST_MAX] = {0};
	struct rig *r = *state;
	uint64_t random = 5;
	struct frame *f;

	for (round = 0; round < 500; round++) {
		r->lane->burst.n = 0;
		routing_kinds(kind, RTE_DIM(kinds), &random);
		for (i = 0; i < BURST_MAX; i++) {
			f = routing_add(r, kinds[kind[i]].to, &host);
			f->tagged = kinds[kind[i]].tag != 0;
			f->tci = f->tagged ? kinds[kind[i]].tag : 1000;
		}
		route_burst(r->lane, &routing_uplink, &r->lane->burst);
		for (i = 0; i < BURST_MAX; i++) {
			assert_int_equal(routing_ports(r, i), kinds[kind[i]].ports);
			assert_int_equal(r->lane->burst.frame[i].reason == DROP_NONE,
					kinds[kind[i]].ports != 0);
		}
	}
}

/* Frames for all guests with a tag are flooded ones: they are cheap to route, and may stay in the source. */
static void
test_crowd(void **state)
{
	struct rig *r = rig_create(CROWD);
	struct rte_ether_addr from;
	struct frame *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < CROWD; i++)
		r->ports.port[i].vlan = i % 2 ? TAG : TAG + 1;
	r->conf.tagged = true;
	r->conf.tag_owner[TAG] = r->conf.tag_owner[TAG + 1] = TAG_SHARED;
	for (i = 0; i < BURST_MAX; i++) {
		from = mac_of(300, i);
		f = routing_add(r, i % 3 ? &mac_broadcast : &stranger, &from);
		f->tagged = true;
		f->tci = i % 2 ? TAG : TAG + 1;
	}
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	assert_int_equal(r->lane->dests.n, CROWD);
	assert_int_equal(r->lane->dests.nflood, CROWD / 2);
	assert_true(r->lane->dests.flood == frame_set_of(BURST_MAX));
	assert_true(r->lane->burst.cost < COST_VISIT_MAX / 4);
	for (i = 0; i < CROWD; i++)
		assert_true(r->lane->dests.want[r->lane->dests.slot[i]] ==
				(i % 2 ? ODD_FRAMES : ~ODD_FRAMES));
	rig_destroy(r);
}

/* So are frames of as many guests that the wire brings back. */
static void
test_crowd_reflected(void **state)
{
	struct rig *r = rig_create_known(CROWD);
	unsigned int i;

	(void)state;
	r->conf.tagged = false;
	for (i = 0; i < BURST_MAX; i++)
		routing_add(r, &mac_broadcast, &r->mac[i]);
	route_burst(r->lane, &routing_uplink, &r->lane->burst);
	assert_true(r->lane->dests.flood == frame_set_of(BURST_MAX));
	assert_true(r->lane->burst.cost < COST_VISIT_MAX / 4);
	for (i = 0; i < CROWD; i++)
		assert_true(r->lane->dests.want[r->lane->dests.slot[i]] ==
				(i < BURST_MAX ? ~frame_set_one(i) : frame_set_of(BURST_MAX)));
	rig_destroy(r);
}

/* What is in no VLAN of ours teaches nothing: stations there may have our guests' addresses. */
static void
test_foreign(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0);
	struct rig *r = *state;
	struct learn_request q;

	r->fdb->clock += 2; /* guest 0 has sent nothing for so long */
	assert_from_uplink(r, &mac_broadcast, &mac0, 77, 0, DROP_VLAN);
	assert_from_uplink(r, &mac_broadcast, &mac0, 0, 0, DROP_VLAN);
	assert_from_uplink(r, &mac_broadcast, &stranger, 77, 0, DROP_VLAN);
	routing_uplink.device = 1; /* a VMDq pool */
	assert_from_uplink(r, &mac_broadcast, &mac0, 1000, 0, DROP_VLAN);
	assert_false(rig_request(r, &q));
	routing_uplink.device = SOURCE_ANY;
	assert_from_uplink(r, &mac_broadcast, &mac0, 1001, PORT(1), DROP_NONE);
	assert_true(rig_request(r, &q));
}

/* A guest whose rings are stopped may have migrated: then the uplink has its address at once. */
static void
test_migrated(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0);
	struct rig *r = *state;
	struct learn_request q;
	uint16_t old;

	assert_from_uplink(r, &mac_broadcast, &mac0, 1001, PORT(1), DROP_NONE);
	assert_false(rig_request(r, &q));
	r->ports.port[0].sink = NULL;
	assert_from_uplink(r, &mac_broadcast, &mac0, 1001, PORT(1), DROP_NONE);
	assert_true(rig_request(r, &q));
	assert_int_equal(q.port, PORT_UPLINK);
	assert_int_equal(fdb_learn(r->fdb, q.key, q.port, &old), FDB_MOVED);
	assert_int_equal(old, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, routing_setup, routing_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_untagged_uplink),
			TEST(test_tagged_uplink),
			TEST(test_pool),
			TEST(test_copies),
			TEST(test_reflected),
			TEST(test_reflected_untagged),
			cmocka_unit_test(test_crowd),
			cmocka_unit_test(test_crowd_reflected),
			TEST(test_foreign),
			TEST(test_migrated),
			TEST(test_burst_of_uplink),
	};

	return cmocka_run_group_tests_name("route_uplink", tests, unit_eal, unit_eal_end);
}
