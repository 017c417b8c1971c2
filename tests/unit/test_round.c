/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rounds of a lane with many guests: the idle ones cost little, and are still seen soon. */
#include "frame/cost.h"
#include "guest/ahead.h"
#include "guest/tx.h"
#include "rig.h"
#include "switch/round.h"

#define GUESTS 80
#define RECEIVER (GUESTS - 1)

struct test {
	struct rig *r;
	unsigned int sent;
};

static int
setup(void **state)
{
	struct test *t = unit_zalloc(sizeof(*t));
	unsigned int i;

	t->r = rig_create_known(GUESTS);
	for (i = 0; i < GUESTS; i++)
		lanes_add(&t->r->lanes, &t->r->tx[i]->vq.source, t->r->tx[i]);
	rig_offer(t->r, RECEIVER, RIG_RING / 2);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct test *t = *state;
	unsigned int i;

	for (i = 0; i < GUESTS; i++)
		lanes_remove(&t->r->lanes, &t->r->tx[i]->vq.source);
	rig_destroy(t->r);
	free(t);
	return 0;
}

static void
send_one(struct test *t, uint16_t from)
{
	rig_send(t->r, from, &t->r->mac[RECEIVER], 60, ++t->sent);
}

/* How many frames of a guest were taken. */
static uint64_t
taken(const struct test *t, uint16_t from)
{
	return t->r->lane->count[from].received;
}

/* A round without work looks at all, so the next frame is taken at once, whoever sends it. */
static void
test_idle(void **state)
{
	struct test *t = *state;
	unsigned int i;

	for (i = 0; i < RECEIVER; i++) {
		lane_round(t->r->lane); /* takes it from the busy ones again */
		send_one(t, i);
		lane_round(t->r->lane);
		assert_int_equal(taken(t, i), 1);
	}
}

/* A guest that had work is visited in each round, however many others come before it. */
static void
test_busy(void **state)
{
	struct test *t = *state;
	unsigned int i, k;

	for (i = 0; i < 100; i++) {
		send_one(t, 3);
		send_one(t, 70);
		lane_round(t->r->lane);
		assert_int_equal(taken(t, 3), i + 1);
		assert_int_equal(taken(t, 70), i + 1);
	}
	/* It is visited no more than once, even when its turn among the others comes. */
	for (i = 0; i < BURST_MAX; i++)
		send_one(t, 3);
	for (k = 1; k <= GUESTS; k++) {
		for (i = 0; i < BURST_MAX; i++)
			send_one(t, 3);
		rig_offer(t->r, RECEIVER, BURST_MAX);
		lane_round(t->r->lane);
		assert_int_equal(taken(t, 3), 100 + k * BURST_MAX);
	}
}

/*
 * Beside a busy guest each other one is seen after work that is worth a look at all of them, and not
 * before work that is worth one.
 */
static void
test_beside_work(void **state)
{
	const uint32_t cost = COST_VISIT + COST_FRAME + COST_COPY + COST_DEST + COST_BYTES(60);
	struct test *t = *state;
	unsigned int i, rounds, most = 0, all = 0;

	send_one(t, 0);
	lane_round(t->r->lane);
	for (i = 1; i < RECEIVER; i++) {
		send_one(t, i);
		for (rounds = 0; taken(t, i) == 0; rounds++) {
			send_one(t, 0);
			lane_round(t->r->lane);
			assert_true(rounds <= GUESTS * COST_LOOK / cost + 1);
		}
		most = RTE_MAX(most, rounds);
		all += rounds;
		rig_offer(t->r, RECEIVER, rounds + 1);
	}
	assert_true(most > 1); /* idle guests are not all looked at in each round */
	assert_true(all > RECEIVER);
}

/* Work beyond what a look at all ports is worth is not kept for ports that come later. */
static void
test_no_credit(void **state)
{
	struct test *t = *state;
	unsigned int i, k;

	for (k = 0; k < 40; k++) {
		for (i = 0; i < 12 * RECEIVER; i++)
			send_one(t, i % RECEIVER);
		rig_offer(t->r, RECEIVER, 12 * RECEIVER);
		lane_round(t->r->lane);
		assert_true(t->r->lane->look_credit < GUESTS * COST_LOOK);
	}
	assert_true(t->r->lane->worked > GUESTS * COST_LOOK);
}

#define MANY_EACH 4 /* frames of each guest in a round */

/* Each guest sends some frames to the next one. */
static void
send_around(struct test *t)
{
	unsigned int i, k;

	for (i = 0; i < GUESTS; i++) {
		rig_offer(t->r, (i + 1) % GUESTS, MANY_EACH);
		for (k = 0; k < MANY_EACH; k++)
			rig_send(t->r, i, &t->r->mac[(i + 1) % GUESTS], 60, t->sent + k);
	}
}

static void
expect_around(struct test *t)
{
	unsigned int i, k;

	for (i = 0; i < GUESTS; i++)
		for (k = 0; k < MANY_EACH; k++)
			rig_expect(t->r, (i + 1) % GUESTS, i, &t->r->mac[(i + 1) % GUESTS], 60,
					t->sent + k);
	t->sent += MANY_EACH;
}

/*
 * While many guests are busy, rings are prefetched for later visits. That must not need what a guest may
 * lack just then: a sink, a receive ring, a source that can prefetch, a source at all.
 */
static void
test_many(void **state)
{
	const struct source_ops *ops = &tx_source_ops;
	struct source_ops lacking = *ops;
	struct test *t = *state;
	struct rig *r = t->r;
	struct source *gone = &r->tx[9]->vq.source;
	unsigned int round;

	lacking.ahead = NULL; /* as for an announcement */
	r->tx[7]->vq.source.ops = &lacking;
	/* Each ring, and its index, goes round. */
	for (round = 0; round <= RIG_RING / MANY_EACH; round++) {
		send_around(t);
		if (round == 1)
			store_release(&r->ports.port[5].sink, NULL);
		if (round == 2)
			r->set[6].vq[0] = NULL;
		if (round == 3)
			lanes_remove(&r->lanes, gone);
		lane_round(r->lane);
		store_release(&r->ports.port[5].sink, &r->set[5].sink);
		r->set[6].vq[0] = &r->rx[6]->vq;
		if (round == 3)
			lanes_add(&r->lanes, gone, r->tx[9]);
		lane_round(r->lane);
		expect_around(t);
	}
	r->tx[7]->vq.source.ops = ops;
}

/* What is prefetched of a packed ring may be beyond its end, and of a short one far beyond. */
static void
test_packed_ahead(void **state)
{
	const uint16_t size[] = {1, 7, 256};
	struct ring *ring;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(size); i++) {
		ring = ring_create_packed(size[i], size[i] - 1);
		ahead_ring(&ring->vq, false);
		ahead_ring(&ring->vq, true);
		assert_int_equal(ring->vq.last_avail, size[i] - 1);
		ring_destroy(ring);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_idle),
			TEST(test_busy),
			TEST(test_beside_work),
			TEST(test_no_credit),
			TEST(test_many),
			cmocka_unit_test(test_packed_ahead),
	};

	return cmocka_run_group_tests_name("round", tests, unit_eal, unit_eal_end);
}
