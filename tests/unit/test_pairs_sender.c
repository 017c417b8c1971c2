/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest with several receive rings, to which others send by several rings of their own. All
 * frames of one transmit ring go to one receive ring, and they stay in order, whatever comes and
 * goes.
 */
#include "switch/park.h"
#include "flows.h"

#define FLOWS 100 /* that are sent */

/* Descriptors that a sender has not got back. */
static bool busy[GUESTS][RIG_RING];

/* Takes n frames of guest 0 with these numbers from a ring. */
static void
expect_numbers(struct flows *p, unsigned int ring, uint32_t first, unsigned int n)
{
	struct datagram d;

	for (; n > 0; n--) {
		assert_true(flows_take(p, ring, &d));
		assert_int_equal(d.seq, first++);
	}
	assert_false(flows_take(p, ring, &d));
}

/* A sender with at least as many rings: all that one of them brings goes to one receive ring, whatever the flow. */
static void
test_by_pair(void **state)
{
	struct flows *p = *state;
	unsigned int n, pair, i;

	for (i = 0; i < RINGS; i++)
		flows_offer(p, i, 200);
	for (n = 1; n <= RINGS; n++) {
		flows_publish_all(p, n);
		for (pair = 0; pair < RINGS; pair++) {
			flows_send_by(p, 0, pair, RINGS);
			for (i = 0; i < 20; i++)
				flows_send(p, 0, i, i);
			rig_poll(p->r, 0);
			expect_numbers(p, pair % n, 0, 20);
		}
	}
	/* With fewer rings than the receiver has, the ring depends on the flow again. */
	flows_send_by(p, 0, 0, RINGS - 1);
	for (i = 0; i < RINGS; i++)
		flows_send(p, 0, flows_number(p, i, 0), i);
	rig_poll(p->r, 0);
	for (i = 0; i < RINGS; i++)
		expect_numbers(p, i, i, 1);
}

/* If the ring of a pair is full or paused, the whole pair waits, and no other does. */
static void
test_one_pair_full(void **state)
{
	struct flows *p = *state;
	struct virtqueue *vq[RINGS] = {NULL, &p->ring[1]->vq, &p->ring[2]->vq, &p->ring[3]->vq};
	unsigned int i;

	flows_offer(p, 2, 10);
	flows_send_by(p, 0, 1, RINGS);
	flows_send_by(p, 2, 2, RINGS);
	for (i = 0; i < 8; i++) {
		flows_send(p, 0, i, i);
		flows_send(p, 2, i, i);
	}
	rig_poll(p->r, 0);
	rig_poll(p->r, 2);
	assert_int_equal(rig_parked(p->r, 0), 8);
	expect_numbers(p, 2, 0, 8);
	flows_offer(p, 1, 4);
	flows_send(p, 0, 100, 8);
	rig_poll(p->r, 0);
	expect_numbers(p, 1, 0, 4);
	flows_offer(p, 1, 5);
	rig_poll(p->r, 0);
	expect_numbers(p, 1, 4, 5);
	/* Paused, and not back in time: as if the guest were gone. */
	flows_publish(p, RINGS, vq);
	flows_send_by(p, 0, 0, RINGS);
	flows_send(p, 0, 0, 9);
	rig_poll(p->r, 0);
	assert_int_equal(rig_parked(p->r, 0), 1);
	rig_expire(p->r, 0);
	rig_poll(p->r, 0);
	assert_int_equal(rig_count(p->r, 0)->drop[DROP_GONE], 1);
}

/* Publishes some of the rings, in any order, some of them paused. */
static void
publish_some(struct flows *p, uint64_t *random)
{
	struct virtqueue *vq[RINGS];
	unsigned int i, n = 1 + unit_random(random) % RINGS, first = unit_random(random) % RINGS;

	for (i = 0; i < n; i++)
		vq[i] = unit_random(random) % 8 == 0 ? NULL : &p->ring[(first + i) % RINGS]->vq;
	flows_publish(p, n, vq);
}

/* Guests send flows: short frames, and long ones, which may find no room where short ones do. */
static void
send_some(struct flows *p, uint64_t *random, unsigned int from, uint32_t sent[])
{
	uint32_t id, len;
	unsigned int i;
	uint16_t flow, slot;

	while (ring_used(p->r->tx[from], &id, &len))
		busy[from][id] = false;
	for (i = unit_random(random) % 64; i > 0; i--) {
		slot = p->r->tx_next[from] % RIG_RING;
		if (busy[from][slot])
			break;
		busy[from][slot] = true;
		flow = unit_random(random) % FLOWS;
		flows_send_len(p, from, flow, ++sent[flow], unit_random(random) % 4 ? SHORT : LONG);
	}
}

/*
 * At random: two guests, whose own rings come and go, send flows to one whose rings are full or
 * not, paused or not, and come and go. What waits is tried again at each poll, or later. Frames are
 * lost, but none overtakes another of its flow.
 */
static void
test_order_at_random(void **state)
{
	uint32_t sent[GUESTS][FLOWS] = {{0}}, seen[GUESTS][FLOWS] = {{0}};
	unsigned int round, from, ring, taken[RINGS] = {0};
	struct flows *p = *state;
	struct rig *r = p->r;
	uint64_t random = 23;
	struct datagram d;

	for (ring = 0; ring < RINGS; ring++)
		p->ring[ring]->vq.mergeable = true;
	for (round = 0; round < 20000; round++) {
		from = unit_random(&random) % 2 ? 0 : 2;
		send_some(p, &random, from, sent[from]);
		if (unit_random(&random) % 32 == 0)
			rig_expire(r, from);
		if (unit_random(&random) % 8 == 0)
			publish_some(p, &random);
		if (unit_random(&random) % 8 == 0)
			flows_send_by(p, from, 0, unit_random(&random) % (RINGS + 1));
		r->tx[from]->vq.source.park->next_try =
				unit_random(&random) % 4 == 0 ? UINT64_MAX : 0;
		rig_poll(r, from);
		for (ring = 0; ring < RINGS; ring++) {
			for (; flows_take(p, ring, &d); taken[ring]++) {
				from = d.eth[6 + 4]; /* see mac_of() */
				assert_true(d.seq > seen[from][d.port[0]]);
				seen[from][d.port[0]] = d.seq;
			}
			if (unit_random(&random) % 4 == 0 &&
					(uint16_t)(p->ring[ring]->vq.avail->idx -
							p->ring[ring]->vq.last_avail) < 8)
				flows_offer(p, ring, unit_random(&random) % 128);
		}
	}
	for (ring = 0; ring < RINGS; ring++)
		assert_true(taken[ring] > 5000);
	assert_true(rig_count(r, 0)->drop[DROP_RING_FULL] > 1000);
	assert_true(rig_count(r, 0)->drop[DROP_GONE] > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, flows_setup, flows_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_by_pair),
			TEST(test_one_pair_full),
			TEST(test_order_at_random),
	};

	unit_both();
	return cmocka_run_group_tests_name("pairs_sender", tests, unit_eal, unit_eal_end);
}
