/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Explaining a frame: the answer is what routing does with a frame that is sent, and asking leaves no trace. */
#include <inttypes.h>

#include <rte_common.h>

#include "switch/explain.h"
#include "switch/route.h"
#include "routing.h"

static struct explanation x;

static bool
explain(struct rig *r, uint16_t from, uint16_t vlan, const struct rte_ether_addr *source,
		const struct rte_ether_addr *to)
{
	const struct shared all = {.conf = &r->conf, .ports = &r->ports, .fdb = r->fdb};
	const struct question q = {.from = from, .vlan = vlan, .source = *source, .to = *to};

	return explain_frame(&all, &q, &x);
}

static uint64_t
explained_ports(void)
{
	uint64_t ports = 0;
	unsigned int i;

	for (i = 0; i < x.n; i++)
		ports |= x.port[i] == PORT_UPLINK ? UPLINK : PORT(x.port[i]);
	return ports;
}

/* Explains a frame, and sends it, with the tag that a guest put into its bytes: both go the same way. */
static void
compare(struct rig *r, uint16_t from, uint16_t vlan, const struct rte_ether_addr *source,
		const struct rte_ether_addr *to)
{
	uint8_t bytes[60] = {[14] = vlan >> 8, [15] = vlan & 0xff};
	struct burst *b = &r->lane->burst;
	struct frame *f;
	uint64_t ports;

	assert_true(explain(r, from, vlan, source, to));
	b->n = 0;
	f = routing_add(r, to, source);
	f->nfrags = 1;
	f->frag = b->frag;
	b->frag[0] = (struct fragment){bytes, sizeof(bytes)};
	if (from == PORT_UPLINK) {
		f->tagged = vlan != 0;
		f->tci = vlan;
	} else if (vlan != 0) {
		f->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	}
	route_burst(r->lane, routing_source(r, from), b);
	ports = routing_ports(r, 0);
	if (explained_ports() != ports)
		fail_msg("from %u, VLAN %u: %" PRIx64 " explained, %" PRIx64 " sent", from, vlan,
				explained_ports(), ports);
	assert_int_equal(x.flooded, r->lane->dests.flood != 0);
	/* Routing does not ask whether a single destination is there. */
	if (ports == PORT(AWAY) && f->reason == DROP_NONE)
		assert_string_equal(drop_name(x.reason), drop_name(DROP_GONE));
	else
		assert_string_equal(drop_name(x.reason), drop_name(f->reason));
}

/* From each port, to each kind of address, with and without a tag. */
static void
compare_all(struct rig *r)
{
	const struct rte_ether_addr to[] = {mac_of(0, 0), mac_of(1, 0), mac_of(AWAY, 0), host,
			stranger, multicast, mac_broadcast, {{0x01, 0x80, 0xc2, 0, 0, 0x0e}}};
	const uint16_t vlans[] = {0, 100, 1000, 1001, 1002};
	const uint16_t from[] = {0, 1, SILENT, PORT_UPLINK};
	struct rte_ether_addr sources[4];
	unsigned int f, v, t, s;

	for (f = 0; f < RTE_DIM(from); f++) {
		sources[0] = from[f] == PORT_UPLINK ? host : mac_of(from[f], 0);
		sources[1] = stranger;
		sources[2] = mac_of(1, 0); /* another's, or its own */
		sources[3] = multicast;
		for (v = 0; v < RTE_DIM(vlans); v++)
			for (t = 0; t < RTE_DIM(to); t++)
				for (s = 0; s < RTE_DIM(sources); s++)
					compare(r, from[f], vlans[v], &sources[s], &to[t]);
	}
}

static void
test_as_routed(void **state)
{
	const struct rte_ether_addr away = mac_of(AWAY, 0);
	struct rig *r = *state;
	unsigned int i;

	rig_learn(r, AWAY, &away);
	compare_all(r);
	r->ports.port[0].policy = PORT_ISOLATED | PORT_NO_TAGS;
	r->ports.port[1].policy = PORT_ISOLATED;
	compare_all(r);
	r->conf.tagged = true;
	for (i = 0; i < GUESTS; i++)
		r->ports.port[i].vlan = conf_vlan(&r->conf, i);
	compare_all(r);
	r->conf.forward_bpdu = true;
	r->conf.vm2vm = VM2VM_UPLINK;
	compare_all(r);
}

/* With --vm2vm 2 a frame for a guest leaves with that guest's tag. */
static void
test_tag_for_nic(void **state)
{
	const struct rte_ether_addr from = mac_of(0, 0), to = mac_of(1, 0);
	struct rig *r = *state;

	r->conf.vm2vm = VM2VM_NIC;
	r->ports.port[1].vlan = 1001;
	fdb_set_filter(r->fdb, fdb_key(&to, FDB_DOMAIN), FILTER_POOL);
	assert_true(explain(r, 0, 0, &from, &to));
	assert_true(explained_ports() == UPLINK && x.tagged);
	assert_int_equal(x.tci, 1001);
	/* A frame with a tag of its own would keep it. */
	assert_true(explain(r, 0, 5, &from, &to));
	assert_true(explained_ports() == PORT(1) && !x.tagged);
}

/* What the table has about both addresses. */
static void
test_entries(void **state)
{
	const struct rte_ether_addr from = mac_of(0, 0);
	struct rig *r = *state;

	assert_true(explain(r, 0, 0, &from, &host));
	assert_true(x.source.key == fdb_key(&from, FDB_DOMAIN) && x.source.port == 0);
	assert_true(x.to.key == fdb_key(&host, FDB_DOMAIN) && x.to.port == PORT_UPLINK);
	assert_true(explain(r, 0, 0, &stranger, &multicast));
	assert_true(x.source.key == 0 && x.to.key == 0);
}

/* Neither an age, nor a port's credit, nor a counter, nor the queue of requests changes. */
static void
test_no_trace(void **state)
{
	const struct rte_ether_addr known = mac_of(0, 0), other = mac_of(1, 0);
	struct rig *r = *state;
	struct ports *before = unit_zalloc(sizeof(*before));
	struct learn_request q;
	struct fdb_entry e;
	uint32_t at;

	*before = r->ports;
	fdb_tick(r->fdb, NULL, NULL);
	assert_true(explain(r, 0, 0, &known, &other));
	assert_true(explain(r, 0, 0, &stranger, &other));
	assert_true(explain(r, 0, 0, &other, &host)); /* would move to port 0 */
	assert_true(explain(r, PORT_UPLINK, 0, &other, &known));
	for (at = 0; fdb_next(r->fdb, &at, &e);)
		assert_int_equal(e.seen, 0);
	assert_false(rig_request(r, &q));
	assert_memory_equal(before, &r->ports, sizeof(*before));
	assert_int_equal(r->lane->dests.n, 0);
	assert_int_equal(r->lane->count[0].unlearned, 0);
	free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, routing_setup, routing_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_as_routed),
			TEST(test_tag_for_nic),
			TEST(test_entries),
			TEST(test_no_trace),
	};

	return cmocka_run_group_tests_name("explain", tests, unit_eal, unit_eal_end);
}
