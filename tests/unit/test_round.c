/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rounds of a lane with many guests: the idle ones cost little, and are still seen soon. */
#include "frame/cost.h"
#include "room.h"
#include "switch/round.h"

#define GUESTS 80
#define RECEIVER (GUESTS - 1)

struct test {
	struct room *r;
	unsigned int sent;
};

static int
setup(void **state)
{
	struct test *t = unit_zalloc(sizeof(*t));
	unsigned int i;

	t->r = room_create_known(GUESTS);
	for (i = 0; i < GUESTS; i++)
		lanes_add(&t->r->lanes, &t->r->tx[i]->vq.source, t->r->tx[i]);
	room_offer(t->r, RECEIVER, ROOM_RING / 2);
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
	room_destroy(t->r);
	free(t);
	return 0;
}

static void
send_one(struct test *t, uint16_t from)
{
	room_send(t->r, from, &t->r->mac[RECEIVER], 60, ++t->sent);
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
		room_offer(t->r, RECEIVER, BURST_MAX);
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
		room_offer(t->r, RECEIVER, rounds + 1);
	}
	assert_true(most > 1); /* idle guests are not all looked at in each round */
	assert_true(all > RECEIVER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_idle),
			TEST(test_busy),
			TEST(test_beside_work),
	};

	return cmocka_run_group_tests_name("round", tests, unit_eal, unit_eal_end);
}
