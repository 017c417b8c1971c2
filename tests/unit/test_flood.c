/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames for all guests, through real rings: a copy for each, waiting for guests without room, giving up. */
#include "switch/park.h"
#include "rig.h"

static const struct rte_ether_addr stranger = {{0x02, 0xcc, 0, 0, 0, 1}};

static void
test_flood(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	for (i = 0; i < RIG_GUESTS; i++)
		rig_offer(r, i, 2);
	rig_send(r, 1, &mac_broadcast, 60, 1);
	rig_send(r, 1, &stranger, 61, 2);
	rig_poll(r, 1);
	for (i = 0; i < RIG_GUESTS; i++) {
		if (i != 1) {
			rig_expect(r, i, 1, &mac_broadcast, 60, 1);
			rig_expect(r, i, 1, &stranger, 61, 2);
		}
		rig_expect_none(r, i);
	}
	assert_int_equal(rig_count(r, 1)->delivered, 2);
	assert_int_equal(rig_count(r, 1)->flooded, 4);
	assert_int_equal(rig_owed(r, 1), 0);
}

/* A flooded frame is owed to each full ring by itself. */
static void
test_flood_errands(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 1);
	rig_send(r, 0, &mac_broadcast, 60, 1);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &mac_broadcast, 60, 1);
	assert_int_equal(rig_count(r, 0)->delivered, 1);
	assert_int_equal(r->tx[0]->vq.source.park->nerrands, 2);
	assert_int_equal(rig_owed(r, 0), 1); /* its bytes are still needed */
	rig_offer(r, 2, 1);
	rig_poll(r, 0);
	rig_expect(r, 2, 0, &mac_broadcast, 60, 1);
	assert_int_equal(rig_count(r, 0)->flooded, 1);
	assert_int_equal(rig_owed(r, 0), 1);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_count(r, 3)->missed, 1);
	/* It was delivered: one missed copy does not make it a dropped frame. */
	assert_int_equal(count_dropped(rig_count(r, 0)), 0);
	rig_expect_none(r, 1);
	rig_expect_none(r, 2);
}

static void
test_flood_nobody(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	rig_send(r, 0, &mac_broadcast, 60, 1);
	rig_poll(r, 0);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1); /* once */
	for (i = 1; i < RIG_GUESTS; i++)
		assert_int_equal(rig_count(r, i)->missed, 1);
}

/* A flooded frame reaches a guest that was paused, if it is back in time; otherwise it is counted as missed. */
static void
test_flood_over_paused(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	for (i = 0; i < RIG_GUESTS; i++)
		rig_offer(r, i, 2);
	r->set[1].vq[0] = NULL;
	rig_send(r, 0, &mac_broadcast, 60, 1);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->delivered, 1);
	assert_int_equal(rig_parked(r, 0), 1);
	r->set[1].vq[0] = &r->rx[1]->vq;
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &mac_broadcast, 60, 1);
	assert_int_equal(rig_count(r, 0)->flooded, 2);
	r->set[1].vq[0] = NULL;
	rig_send(r, 0, &mac_broadcast, 60, 2);
	rig_poll(r, 0);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->delivered, 2);
	assert_int_equal(rig_count(r, 1)->missed, 1);
}

static unsigned int asked;

static bool
count_by_flow(const struct sink *k, const struct lane *l, const struct source *from)
{
	(void)k;
	(void)l;
	(void)from;
	asked++;
	return false;
}

/*
 * A visit that has cost enough spends no time on the frames that still wait, and the next visits deliver them
 * in order.
 */
static void
test_flood_visits(void **state)
{
	const unsigned int frames = 4 * BURST_MAX;
	struct rig *r = *state;
	struct sink_ops ops = guest_sink_ops;
	unsigned int i, visits;

	asked = 0;
	for (i = 0; i < frames; i++)
		rig_send(r, 0, &mac_broadcast, 1500, i);
	for (i = 0; i < frames / BURST_MAX; i++)
		rig_poll(r, 0);
	assert_int_equal(rig_parked(r, 0), frames);
	for (i = 1; i < RIG_GUESTS; i++)
		rig_offer(r, i, frames);
	ops.by_flow = count_by_flow;
	r->set[1].sink.ops = &ops;
	for (visits = 0; rig_parked(r, 0) != 0; visits++)
		rig_poll(r, 0);
	r->set[1].sink.ops = &guest_sink_ops;
	assert_true(visits > 1);
	assert_int_equal(asked, 0);
	for (i = 0; i < frames; i++)
		rig_expect(r, 1, 0, &mac_broadcast, 1500, i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_flood),
			TEST(test_flood_errands),
			TEST(test_flood_nobody),
			TEST(test_flood_over_paused),
			TEST(test_flood_visits),
	};

	unit_both();
	return cmocka_run_group_tests_name("flood", tests, unit_eal, unit_eal_end);
}
