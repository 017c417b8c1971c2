/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy: which frame goes where, from guests and from either kind of uplink; what is learned. */
#include <inttypes.h>

#include <rte_cycles.h>

#include "room.h"
#include "route.h"
#include "source.h"

#define GUESTS 4
#define SILENT 2	/* has sent nothing yet */
#define AWAY 3		/* has no receive ring */

/* Ports as bits, to compare sets: the uplink is the highest. */
#define UPLINK (UINT64_C(1) << 63)
#define PORT(n) (UINT64_C(1) << (n))

static struct source uplink_source = { .port = PORT_UPLINK, .device = SOURCE_ANY };
static const struct rte_ether_addr host = { { 0x02, 0xbb, 0, 0, 0, 1 } };	/* behind the uplink */
static const struct rte_ether_addr stranger = { { 0x02, 0xcc, 0, 0, 0, 1 } };
static const struct rte_ether_addr multicast = { { 0x01, 0, 0x5e, 0, 0, 1 } };

/* Guests 0 and 1 are known, 2 is silent, 3 is away; there is an uplink, and a host behind it. */
static int
setup(void **state)
{
	struct rte_ether_addr mac;
	struct room *r = room_create(GUESTS);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		mac = mac_of(i, 0);
		room_learn(r, i, &mac);
	}
	room_learn(r, PORT_UPLINK, &host);
	r->sw.port[AWAY].rx = NULL;
	r->sw.uplink = (struct uplink *)r;	/* routing only asks whether there is one */
	uplink_source = (struct source){ .port = PORT_UPLINK, .device = SOURCE_ANY };
	*state = r;
	return 0;
}

/* Three guests of whom nothing is known. */
static int
setup_unknown(void **state)
{
	*state = room_create(3);
	return 0;
}

static int
teardown(void **state)
{
	room_destroy(*state);
	return 0;
}

/* Adds a frame to the burst. */
static struct frame *
add(struct room *r, const struct rte_ether_addr *to, const struct rte_ether_addr *from)
{
	struct frame *f = &r->w->burst.frame[r->w->burst.n++];

	*f = (struct frame){ .eth = { .dst_addr = *to, .src_addr = *from }, .len = 60 };
	return f;
}

/* Where frame i of the burst is to go. */
static uint64_t
ports_of(const struct room *r, unsigned int i)
{
	const struct dests *d = &r->w->dests;
	uint64_t ports = 0;
	unsigned int k;

	for (k = 0; k < d->n; k++) {
		assert_true(d->want[k] != 0);	/* nobody is visited in vain, */
		assert_true(d->slot[d->port[k]] == k);	/* and nobody twice */
		if (d->want[k] >> i & 1)
			ports |= d->port[k] == PORT_UPLINK ? UPLINK : PORT(d->port[k]);
	}
	return ports;
}

static struct source *
source_of(struct room *r, uint16_t port)
{
	return port == PORT_UPLINK ? &uplink_source : &r->tx[port]->vq.source;
}

/* One frame from a port goes to exactly these; if there are none, for that reason. */
static void
assert_route(struct room *r, uint16_t port, const struct rte_ether_addr *to, uint64_t ports,
	enum drop_reason reason)
{
	const struct rte_ether_addr from = port == PORT_UPLINK ? host : mac_of(port, 0);
	struct frame *f;

	r->w->burst.n = 0;
	f = add(r, to, &from);
	route_burst(r->w, source_of(r, port), &r->w->burst);
	if (ports_of(r, 0) != ports)
		fail_msg("to %" PRIx64 ", not %" PRIx64, ports_of(r, 0), ports);
	assert_string_equal(drop_name(f->reason), drop_name(reason));
}

static void
test_guest(void **state)
{
	const struct rte_ether_addr zero = { { 0 } };
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct room *r = *state;

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
	const struct rte_ether_addr zero = { { 0 } };
	struct room *r = *state;

	assert_route(r, 0, &zero, PORT(1) | PORT(2), DROP_NONE);
	assert_route(r, 1, &zero, PORT(0) | PORT(2), DROP_NONE);
}

static void
test_no_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0);
	struct room *r = *state;

	r->sw.uplink = NULL;
	assert_route(r, 0, &stranger, PORT(1) | PORT(SILENT), DROP_NONE);
	r->rx[SILENT]->vq.fault = FAULT_LOOP;	/* stopped */
	assert_route(r, 0, &mac_broadcast, PORT(1), DROP_NONE);
	r->sw.port[1].rx = NULL;
	assert_route(r, 0, &mac_broadcast, 0, DROP_NO_PORT);
	assert_route(r, 0, &stranger, 0, DROP_NO_PORT);
	assert_route(r, 1, &mac0, PORT(0), DROP_NONE);
}

static void
test_vm2vm_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct room *r = *state;

	r->sw.conf.vm2vm = VM2VM_UPLINK;
	assert_route(r, 0, &mac1, UPLINK, DROP_NONE);
	assert_route(r, 0, &mac0, UPLINK, DROP_NONE);
	assert_route(r, 0, &mac_broadcast, UPLINK, DROP_NONE);
	assert_route(r, 0, &stranger, UPLINK, DROP_NONE);
}

static void
test_bad_source(void **state)
{
	static const struct rte_ether_addr wrong[] = {
		{ { 0 } }, { { 0x01, 0, 0x5e, 0, 0, 1 } }, { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ { 0x03, 0, 0, 0, 0, 0 } },
	};
	struct room *r = *state;
	struct request q;
	size_t i;

	r->w->burst.n = 0;
	for (i = 0; i < RTE_DIM(wrong); i++)
		add(r, &host, &wrong[i]);
	route_burst(r->w, source_of(r, 0), &r->w->burst);
	assert_int_equal(r->w->dests.n, 0);
	for (i = 0; i < RTE_DIM(wrong); i++)
		assert_int_equal(r->w->burst.frame[i].reason, DROP_SOURCE);
	assert_false(room_request(r, &q));
}

static void
test_untagged_uplink(void **state)
{
	struct rte_ether_addr mac0 = mac_of(0, 0);
	struct room *r = *state;

	r->sw.conf.vlan_base = 0;
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
		int tci;	/* -1: no tag */
		const struct rte_ether_addr *to;
		uint64_t ports;
		enum drop_reason reason;
	} cases[] = {
		{ 1000, &mac0, PORT(0), DROP_NONE },
		{ 1001, &mac1, PORT(1), DROP_NONE },
		{ 0xe000 | 1001, &mac1, PORT(1), DROP_NONE },	/* priority */
		{ 0x1000 | 1001, &mac1, PORT(1), DROP_NONE },	/* drop eligible */
		{ 1000, &mac_broadcast, PORT(0), DROP_NONE },
		{ 1001, &multicast, PORT(1), DROP_NONE },
		{ 1000, &stranger, 0, DROP_UNMATCHED },
		{ 1000, &host, 0, DROP_UNMATCHED },
		{ 1000, &mac1, 0, DROP_VLAN },		/* another device's address */
		{ 1001, &mac0, 0, DROP_VLAN },
		{ 1000 + SILENT, &stranger, PORT(SILENT), DROP_NONE },
		{ 1000 + SILENT, &host, PORT(SILENT), DROP_NONE },
		{ 1000 + SILENT, &mac_broadcast, PORT(SILENT), DROP_NONE },
		{ 1000 + SILENT, &mac0, 0, DROP_VLAN },
		/* Paused: it may be back in a moment, and the frame waits for that. */
		{ 1000 + AWAY, &stranger, PORT(AWAY), DROP_NONE },
		{ 1000 + AWAY, &mac_broadcast, PORT(AWAY), DROP_NONE },
		{ 1000 + GUESTS, &mac_broadcast, 0, DROP_VLAN },	/* never used */
		{ 1255, &mac_broadcast, 0, DROP_VLAN },
		{ 1256, &mac_broadcast, 0, DROP_VLAN },			/* past all devices */
		{ 4095, &mac_broadcast, 0, DROP_VLAN },
		{ 999, &mac0, 0, DROP_VLAN },
		{ 0, &mac0, 0, DROP_VLAN },
		{ -1, &mac0, 0, DROP_VLAN },
		{ -1, &mac_broadcast, 0, DROP_VLAN },
		{ -1, &stranger, 0, DROP_VLAN },
	};
	struct room *r = *state;
	struct frame *f;
	size_t i;

	r->w->burst.n = 0;
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = add(r, cases[i].to, &host);
		f->tagged = cases[i].tci >= 0;
		f->tci = f->tagged ? cases[i].tci : 1000;	/* stale: not to be looked at */
	}
	route_burst(r->w, &uplink_source, &r->w->burst);
	for (i = 0; i < RTE_DIM(cases); i++) {
		f = &r->w->burst.frame[i];
		if (ports_of(r, i) != cases[i].ports || f->reason != cases[i].reason)
			fail_msg("case %zu: to %" PRIx64 ", %s", i, ports_of(r, i), drop_name(f->reason));
	}
}

/* A frame with device 1's tag (unless another is named) that `from` has sent. */
static void
assert_from_uplink(struct room *r, const struct rte_ether_addr *to, const struct rte_ether_addr *from,
	uint16_t tag, uint64_t ports, enum drop_reason reason)
{
	struct frame *f;

	r->w->burst.n = 0;
	f = add(r, to, from);
	f->tagged = true;
	f->tci = tag;
	route_burst(r->w, &uplink_source, &r->w->burst);
	assert_int_equal(f->reason, reason);
	assert_true(ports_of(r, 0) == ports);
}

/* What a pool brings is for its device alone, whatever the NIC thought of it. */
static void
test_pool(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct room *r = *state;

	uplink_source.device = 1;
	assert_from_uplink(r, &mac1, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac_broadcast, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &stranger, &host, 1001, 0, DROP_UNMATCHED);
	assert_from_uplink(r, &mac0, &host, 1001, 0, DROP_VLAN);
	assert_from_uplink(r, &mac1, &host, 1000, 0, DROP_VLAN);
	assert_from_uplink(r, &mac0, &host, 1000, 0, DROP_VLAN);
	assert_from_uplink(r, &mac_broadcast, &host, 1000, 0, DROP_VLAN);
}

/* Where the software's queue gets a copy of what pools get, that is dropped. */
static void
test_copies(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0), more = mac_of(0, 7);
	struct room *r = *state;

	room_learn(r, 0, &more);
	fdb_set_pooled(r->sw.fdb, fdb_key(&mac0, 0), true);
	fdb_set_pooled(r->sw.fdb, fdb_key(&stranger, 0), true);	/* not there: nothing happens */
	uplink_source.copied = 1;				/* device 0 has a pool, 1 has none */
	assert_from_uplink(r, &mac_broadcast, &host, 1000, 0, DROP_COPY);
	assert_from_uplink(r, &mac0, &host, 1000, 0, DROP_COPY);
	assert_from_uplink(r, &more, &host, 1000, PORT(0), DROP_NONE);	/* found no filter */
	assert_from_uplink(r, &mac_broadcast, &host, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac1, &host, 1001, PORT(1), DROP_NONE);
}

/* A group frame that the wire, or the NIC's loopback, brings back to its sender. */
static void
test_reflected(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct room *r = *state;

	assert_from_uplink(r, &mac_broadcast, &mac1, 1001, 0, DROP_TO_SENDER);
	assert_from_uplink(r, &mac_broadcast, &mac0, 1001, PORT(1), DROP_NONE);
	assert_from_uplink(r, &mac1, &mac0, 1001, PORT(1), DROP_NONE);
}

/* --vm2vm 2: to the uplink, with the destination's tag; the rest as ever. */
static void
test_vm2vm_nic(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	struct room *r = *state;
	struct frame *f;
	unsigned int i;

	r->sw.conf.vm2vm = VM2VM_NIC;
	r->w->burst.n = 0;
	for (i = 0; i < 2; i++) /* a flow: the second like the first */
		add(r, &mac1, &mac0);
	add(r, &mac1, &mac0)->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	add(r, &host, &mac0)->tagged = true;
	add(r, &mac_broadcast, &mac0)->tagged = true;
	add(r, &mac0, &mac0);
	route_burst(r->w, source_of(r, 0), &r->w->burst);
	f = r->w->burst.frame;
	for (i = 0; i < 2; i++)
		assert_true(ports_of(r, i) == UPLINK && f[i].tagged && f[i].tci == 1001);
	assert_true(ports_of(r, 2) == PORT(1)); /* its own tag would lead it elsewhere */
	assert_true(ports_of(r, 3) == UPLINK && !f[3].tagged);
	assert_true(ports_of(r, 4) == (PORT(1) | PORT(SILENT) | UPLINK) && !f[4].tagged);
	assert_int_equal(f[5].reason, DROP_TO_SENDER);
}

/* A whole burst of every kind, mixed: each frame as if it were alone. */
static void
test_burst(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		const struct rte_ether_addr *to;
		uint64_t ports;
	} kinds[] = {
		{ &mac1, PORT(1) }, { &host, UPLINK }, { &mac0, 0 },
		{ &stranger, PORT(1) | PORT(SILENT) | UPLINK },
		{ &mac_broadcast, PORT(1) | PORT(SILENT) | UPLINK },
	};
	unsigned int round, i, kind[BURST_MAX];
	struct room *r = *state;
	uint64_t random = 3;

	for (round = 0; round < 500; round++) {
		r->w->burst.n = 0;
		for (i = 0; i < BURST_MAX; i++) {
			/* Runs, as traffic has them. */
			kind[i] = i > 0 && unit_random(&random) % 2 ? kind[i - 1] :
				unit_random(&random) % RTE_DIM(kinds);
			add(r, kinds[kind[i]].to, &mac0);
		}
		/* One that was lost when it was fetched stays so. */
		i = unit_random(&random) % BURST_MAX;
		frame_lose(&r->w->burst.frame[i], DROP_SHORT);
		route_burst(r->w, source_of(r, 0), &r->w->burst);
		assert_int_equal(ports_of(r, i), 0);
		assert_int_equal(r->w->burst.frame[i].reason, DROP_SHORT);
		kind[i] = UINT32_MAX;
		for (i = 0; i < BURST_MAX; i++)
			if (kind[i] != UINT32_MAX)
				assert_int_equal(ports_of(r, i), kinds[kind[i]].ports);
	}
}

/* The same with frames of the uplink, where the tag counts too. */
static void
test_burst_of_uplink(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), mac1 = mac_of(1, 0);
	const struct {
		const struct rte_ether_addr *to;
		int tag;	/* 0: none */
		uint64_t ports;
	} kinds[] = {
		{ &mac0, 1000, PORT(0) }, { &mac0, 1001, 0 }, { &mac0, 0, 0 }, { &mac1, 1001, PORT(1) },
		{ &mac_broadcast, 1000, PORT(0) }, { &mac_broadcast, 1001, PORT(1) },
		{ &mac_broadcast, 0, 0 }, { &stranger, 1000, 0 },
		{ &stranger, 1000 + SILENT, PORT(SILENT) },
	};
	unsigned int round, i, kind[BURST_MAX];
	struct room *r = *state;
	uint64_t random = 5;
	struct frame *f;

	for (round = 0; round < 500; round++) {
		r->w->burst.n = 0;
		for (i = 0; i < BURST_MAX; i++) {
			kind[i] = i > 0 && unit_random(&random) % 2 ? kind[i - 1] :
				unit_random(&random) % RTE_DIM(kinds);
			f = add(r, kinds[kind[i]].to, &host);
			f->tagged = kinds[kind[i]].tag != 0;
			f->tci = f->tagged ? kinds[kind[i]].tag : 1000;
		}
		route_burst(r->w, &uplink_source, &r->w->burst);
		for (i = 0; i < BURST_MAX; i++) {
			assert_int_equal(ports_of(r, i), kinds[kind[i]].ports);
			assert_int_equal(r->w->burst.frame[i].reason == DROP_NONE,
					kinds[kind[i]].ports != 0);
		}
	}
}

/* What the main lcore is asked to learn after one frame of `from` at a port; nothing: false. */
static bool
asked(struct room *r, uint16_t port, const struct rte_ether_addr *from, struct request *q)
{
	struct request more;

	r->w->burst.n = 0;
	add(r, &stranger, from);
	route_burst(r->w, source_of(r, port), &r->w->burst);
	if (!room_request(r, q))
		return false;
	assert_false(room_request(r, &more));
	return true;
}

static void
test_learning(void **state)
{
	const struct rte_ether_addr mac0 = mac_of(0, 0), fresh = mac_of(0, 9);
	struct room *r = *state;
	struct request q;

	r->sw.port[0].epoch = 5;
	assert_true(asked(r, 0, &fresh, &q));
	assert_true(q.key == fdb_key(&fresh, 0));
	assert_int_equal(q.port, 0);
	assert_int_equal(q.epoch, 5);
	assert_true(asked(r, 0, &fresh, &q));	/* until it is learned */
	room_learn(r, 0, &fresh);
	assert_false(asked(r, 0, &fresh, &q));
	/* It moved to guest 1; on the uplink, our own frames may have come back. */
	assert_true(asked(r, 1, &fresh, &q));
	assert_int_equal(q.port, 1);
	assert_false(asked(r, PORT_UPLINK, &fresh, &q));
	assert_true(asked(r, PORT_UPLINK, &stranger, &q));
	assert_int_equal(q.port, PORT_UPLINK);
	assert_true(asked(r, 0, &host, &q));	/* a host that became a guest */
	assert_int_equal(q.port, 0);
	/* To be seen is to be used. */
	r->sw.fdb->clock = 100;
	assert_false(asked(r, 0, &mac0, &q));
	assert_int_equal(fdb_lookup(r->sw.fdb, &r->w->hints, fdb_key(&mac0, 0))->seen, 100);
}

static void
test_learning_full(void **state)
{
	struct rte_ether_addr mac;
	struct room *r = *state;
	struct request q;
	unsigned int i;

	for (i = 1; i < FDB_PER_GUEST; i++) {
		mac = mac_of(0, i);
		room_learn(r, 0, &mac);
	}
	assert_false(asked(r, 0, &stranger, &q));
	assert_int_equal(room_count(r, 0)->unlearned, 1);
	assert_true(asked(r, 1, &stranger, &q));
}

/* Addresses that a guest makes up: few of them become requests. */
static void
test_learning_bounded(void **state)
{
	struct rte_ether_addr mac;
	struct room *r = *state;
	unsigned int i, n, attempt;
	uint64_t begin, took = UINT64_MAX;
	struct request q;

	/* Within one millisecond: tried again where this machine was busy with other things. */
	for (attempt = 0; attempt < 1000 && took >= rte_get_tsc_hz() / 1000; attempt++) {
		r->w->burst.n = 0;
		for (i = 0; i < BURST_MAX; i++) {
			mac = mac_of(100, i);
			add(r, &stranger, &mac);
		}
		r->tx[0]->vq.source.learn_period = 0;
		begin = rte_rdtsc();
		route_burst(r->w, source_of(r, 0), &r->w->burst);
		took = rte_rdtsc() - begin;
		for (n = 0; room_request(r, &q); n++)
			;
	}
	assert_int_equal(n, 16);
	/* That one is out of credit is no other's loss. */
	assert_true(asked(r, 1, &stranger, &q));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_guest),
		cmocka_unit_test_setup_teardown(test_zero_destination_empty_table, setup_unknown, teardown),
		TEST(test_no_uplink),
		TEST(test_vm2vm_uplink),
		TEST(test_bad_source),
		TEST(test_untagged_uplink),
		TEST(test_tagged_uplink),
		TEST(test_pool),
		TEST(test_copies),
		TEST(test_reflected),
		TEST(test_vm2vm_nic),
		TEST(test_burst),
		TEST(test_burst_of_uplink),
		TEST(test_learning),
		TEST(test_learning_full),
		TEST(test_learning_bounded),
	};

	return cmocka_run_group_tests_name("route", tests, unit_eal, unit_eal_end);
}
