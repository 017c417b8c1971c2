/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A guest with several receive rings: which flow goes to which ring, and what waits when a ring is full or gone. */
#include "flows.h"

#define FLOWS 100 /* that are sent */

/* Frames of many flows, in one burst after another: each ring gets its flows, in order, and all arrives. */
static void
test_spread(void **state)
{
	uint32_t sent[FLOWS] = {0}, seen[FLOWS] = {0};
	struct flows *p = *state;
	unsigned int i, ring, got, all = 0;
	uint64_t random = 5;
	struct datagram d;
	uint16_t flow;

	for (ring = 0; ring < RINGS; ring++)
		flows_offer(p, ring, 400);
	for (i = 0; i < 800; i++) {
		flow = unit_random(&random) % FLOWS;
		flows_send(p, 0, flow, ++sent[flow]);
	}
	for (i = 0; i < 13; i++)
		rig_poll(p->r, 0);
	for (ring = 0; ring < RINGS; ring++) {
		for (got = 0; flows_take(p, ring, &d); got++) {
			assert_int_equal(flows_ring(p, 0, d.port[0], RINGS), ring);
			assert_int_equal(d.seq, ++seen[d.port[0]]);
		}
		assert_in_range(got, 50, 400);
		all += got;
	}
	assert_int_equal(all, 800);
	assert_int_equal(rig_count(p->r, MANY)->sent, 800);
	assert_int_equal(rig_count(p->r, 0)->delivered, 800);
	assert_int_equal(rig_owed(p->r, 0), 0);
}

/* A group frame goes to the flow's ring, and to that alone. */
static void
test_flooded(void **state)
{
	struct flows *p = *state;
	struct datagram d;
	unsigned int ring, got = 0;

	for (ring = 0; ring < RINGS; ring++)
		flows_offer(p, ring, 2);
	rig_offer(p->r, 2, 2);
	rig_send(p->r, 0, &mac_broadcast, SHORT, 1);
	rig_poll(p->r, 0);
	for (ring = 0; ring < RINGS; ring++)
		while (flows_take(p, ring, &d))
			got++;
	assert_int_equal(got, 1);
	rig_expect(p->r, 2, 0, &mac_broadcast, SHORT, 1);
	assert_int_equal(rig_count(p->r, 0)->flooded, 1);
}

/* One full ring delays its own flows; the others go on undisturbed. */
static void
test_one_full(void **state)
{
	static const uint32_t rest[] = {300, 1000, 1001};
	struct flows *p = *state;
	unsigned int i, ring;
	struct datagram d;

	for (ring = 0; ring < RINGS; ring++)
		if (ring != 2)
			flows_offer(p, ring, 600);
	for (i = 0; i < 400; i++)
		flows_send(p, 0,
				flows_number(p,
						i % 100 == 0                 ? 2
								: i % 3 == 2 ? 3
									     : i % 3,
						i % 5),
				i);
	/* It takes no more polls than without a full ring. */
	for (i = 0; i < 7; i++)
		rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 4);
	assert_int_equal(rig_count(p->r, 0)->delivered, 396);
	assert_false(flows_take(p, 2, &d));
	/* A flow of that ring, of which none waits: it finds the ring full too, and then waits. */
	flows_send(p, 0, flows_number(p, 2, 7), 1000);
	rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 5);
	flows_offer(p, 2, 3);
	flows_send(p, 0, flows_number(p, 2, 0), 1001); /* after those before it */
	rig_poll(p->r, 0);
	for (i = 0; i < 3; i++) {
		assert_true(flows_take(p, 2, &d));
		assert_int_equal(d.seq, 100 * i);
	}
	assert_false(flows_take(p, 2, &d));
	flows_offer(p, 2, 3);
	rig_poll(p->r, 0);
	for (i = 0; i < 3; i++) {
		assert_true(flows_take(p, 2, &d));
		assert_int_equal(d.seq, rest[i]);
	}
	assert_int_equal(rig_parked(p->r, 0), 0);
}

/* Frames that a full ring could not take in time are lost, those of its own flows alone. */
static void
test_one_full_for_long(void **state)
{
	struct flows *p = *state;
	unsigned int i;

	for (i = 0; i < 3; i++)
		flows_offer(p, i, 10);
	for (i = 0; i < 20; i++)
		flows_send(p, 0, flows_number(p, i % RINGS, 0), i);
	rig_poll(p->r, 0);
	rig_expire(p->r, 0);
	rig_poll(p->r, 0);
	assert_int_equal(rig_count(p->r, 0)->delivered, 15);
	assert_int_equal(rig_count(p->r, 0)->drop[DROP_RING_FULL], 5);
	assert_int_equal(rig_count(p->r, MANY)->missed, 5);
	assert_int_equal(rig_parked(p->r, 0), 0);
}

/* A ring that is paused keeps its flows: they wait, and the others go on. */
static void
test_one_paused(void **state)
{
	struct flows *p = *state;
	struct virtqueue *vq[RINGS] = {&p->ring[0]->vq, NULL, &p->ring[2]->vq, &p->ring[3]->vq};
	struct datagram d;
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		flows_offer(p, i, 10);
	flows_publish(p, RINGS, vq);
	for (i = 0; i < 20; i++)
		flows_send(p, 0, flows_number(p, i % RINGS, 0), i);
	rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 5);
	assert_int_equal(rig_count(p->r, 0)->delivered, 15);
	flows_publish_all(p, RINGS);
	rig_poll(p->r, 0);
	for (i = 0; i < 5; i++) {
		assert_true(flows_take(p, 1, &d));
		assert_int_equal(d.seq, RINGS * i + 1);
	}
	/* Not back in time: as if the guest were gone. */
	flows_publish(p, RINGS, vq);
	flows_send(p, 0, flows_number(p, 1, 0), 100);
	rig_poll(p->r, 0);
	rig_expire(p->r, 0);
	rig_poll(p->r, 0);
	assert_int_equal(rig_count(p->r, 0)->drop[DROP_GONE], 1);
	assert_int_equal(rig_count(p->r, MANY)->missed, 1);
}

/* A broken ring refuses its flows; soon the main lcore stops the guest's other rings, too. */
static void
test_one_stopped(void **state)
{
	struct flows *p = *state;
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		flows_offer(p, i, 10);
	p->ring[3]->vq.fault = FAULT_LOOP;
	for (i = 0; i < 20; i++)
		flows_send(p, 0, flows_number(p, i % RINGS, 0), i);
	rig_poll(p->r, 0);
	assert_int_equal(rig_count(p->r, 0)->delivered, 15);
	assert_int_equal(rig_count(p->r, 0)->drop[DROP_GONE], 5);
	assert_int_equal(rig_count(p->r, MANY)->missed, 5);
	assert_int_equal(rig_parked(p->r, 0), 0);
}

/* Rings come while frames wait: no later frame of a flow overtakes them, whichever ring the flow has now. */
static void
test_rings_come(void **state)
{
	struct flows *p = *state;
	struct datagram d;
	unsigned int i;

	flows_publish_all(p, 1);
	for (i = 0; i < 4; i++)
		flows_send(p, 0, flows_number(p, 3, 0), i);
	rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 4);
	flows_publish_all(p, RINGS);
	flows_offer(p, 3, 2);
	flows_send(p, 0, flows_number(p, 3, 0), 4);
	rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 3);
	flows_publish_all(p, 2); /* and go: the flow is the second ring's now */
	flows_offer(p, 1, 10);
	flows_send(p, 0, flows_number(p, 3, 0), 5);
	rig_poll(p->r, 0);
	for (i = 0; i < 6; i++) {
		assert_true(flows_take(p, i < 2 ? 3 : 1, &d));
		assert_int_equal(d.seq, i);
	}
	assert_int_equal(rig_parked(p->r, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, flows_setup, flows_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_spread),
			TEST(test_flooded),
			TEST(test_one_full),
			TEST(test_one_full_for_long),
			TEST(test_one_paused),
			TEST(test_one_stopped),
			TEST(test_rings_come),
	};

	unit_both();
	return cmocka_run_group_tests_name("pairs", tests, unit_eal, unit_eal_end);
}
