/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rings that move between workers: which one, and what becomes of its frames. */
#include <rte_rcu_qsbr.h>

#include "rig.h"
#include "switch/balance.h"
#include "switch/forward.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/round.h"

/* The two busy rings of one worker are separated; nothing moves after that. */
static void
test_parted(void **state)
{
	struct weight w[] = {{0, 400}, {0, 380}, {0, 20}, {1, 10}};
	uint64_t load[] = {800, 10};
	unsigned int to = 9;

	(void)state;
	assert_int_equal(balance_step(w, RTE_DIM(w), load, 2, 50, &to), 0);
	assert_true(to == 1 && load[0] == 400 && load[1] == 410 && w[0].worker == 1);
	assert_int_equal(balance_step(w, RTE_DIM(w), load, 2, 50, &to), RTE_DIM(w));
}

/* A busy ring alone stays where it is, as do rings without frames and loads that are about even. */
static void
test_stays(void **state)
{
	struct weight alone[] = {{0, 900}}, idle[] = {{0, 0}, {0, 0}}, even[] = {{0, 30}, {0, 500}};
	uint64_t load[] = {900, 0}, none[] = {0, 0}, about[] = {530, 490};
	unsigned int to;

	(void)state;
	assert_int_equal(balance_step(alone, 1, load, 2, 50, &to), 1);
	assert_int_equal(balance_step(idle, 2, none, 2, 50, &to), 2);
	assert_int_equal(balance_step(even, 2, about, 2, 50, &to), 2);
	assert_int_equal(balance_step(even, 2, about, 1, 0, &to), 2);
	assert_int_equal(balance_step(even, 0, about, 2, 0, &to), 0);
}

/* However rings are spread at first, each step takes load off the busiest worker, and the steps end. */
static void
test_ends(void **state)
{
	struct weight w[40];
	uint64_t random = 1, load[4] = {0}, most, before;
	unsigned int i, steps, to;

	(void)state;
	for (i = 0; i < RTE_DIM(w); i++) {
		w[i] = (struct weight){unit_random(&random) % 2, unit_random(&random) % 1000};
		load[w[i].worker] += w[i].load;
	}
	for (steps = 0; steps < 200; steps++) {
		for (i = most = 0; i < RTE_DIM(load); i++)
			most = RTE_MAX(most, load[i]);
		before = load[0] + load[1] + load[2] + load[3];
		if (balance_step(w, RTE_DIM(w), load, RTE_DIM(load), 100, &to) == RTE_DIM(w))
			break;
		assert_int_equal(load[0] + load[1] + load[2] + load[3], before);
		assert_true(load[to] < most);
	}
	assert_true(steps > 0 && steps < 200);
	assert_true(most < before / 4 * 5 / 4);
}

/* A rig with a second lane, whose worker is online if it is to be waited for. */
struct two {
	struct rig *r;
	struct rte_rcu_qsbr *qsbr;
	struct lane *second;
};

static int
two_setup(void **state)
{
	struct two *t = unit_zalloc(sizeof(*t));

	t->r = rig_create_known(2);
	t->qsbr = unit_zalloc(rte_rcu_qsbr_get_memsize(2));
	rte_rcu_qsbr_init(t->qsbr, 2);
	t->second = lane_create(&t->r->lane->shared, 1, 0);
	t->second->retry_time = UINT64_MAX / 4;
	*state = t;
	return 0;
}

static int
two_teardown(void **state)
{
	struct two *t = *state;

	lane_destroy(t->second);
	free(t->qsbr);
	rig_destroy(t->r);
	free(t);
	return 0;
}

/* Frames that wait move with their ring, and stay before those that follow. */
static void
test_order(void **state)
{
	struct two *t = *state;
	struct lanes all = {.n = 2, .lane = {t->r->lane, t->second}, .qsbr = t->qsbr};
	struct source *s = &t->r->tx[0]->vq.source;
	unsigned int i;

	lanes_add(&all, s, t);
	assert_int_equal(t->r->lane->polled[0].n, 1);
	for (i = 0; i < 3; i++)
		rig_send(t->r, 0, &t->r->mac[1], 60 + i, i);
	lane_round(t->r->lane);
	assert_true(s->waiting);
	assert_true(lanes_move(&all, s, 1));
	assert_int_equal(t->r->lane->polled[0].n, 0);
	assert_int_equal(t->second->polled[0].n, 1);
	rig_send(t->r, 0, &t->r->mac[1], 63, 3);
	rig_offer(t->r, 1, 4);
	lane_round(t->r->lane);
	rig_expect_none(t->r, 1);
	lane_round(t->second);
	for (i = 0; i < 4; i++)
		rig_expect(t->r, 1, 0, &t->r->mac[1], 60 + i, i);
	assert_true(lanes_move(&all, s, 1)); /* where it is already */
	assert_int_equal(t->second->polled[0].n, 1);
	/* It comes back there after a pause. */
	lanes_remove(&all, s);
	lanes_add(&all, s, t);
	assert_int_equal(t->second->polled[0].n, 1);
	lanes_remove(&all, s);
	/* The sums are over both lanes. */
	for (i = 0; i < sizeof(struct port_count) / sizeof(uint64_t); i++) {
		((uint64_t *)&t->r->lane->count[0])[i] += ((uint64_t *)&t->second->count[0])[i];
		((uint64_t *)&t->r->lane->count[1])[i] += ((uint64_t *)&t->second->count[1])[i];
	}
}

/* A ring whose worker had asked to be woken is not kicked at its new worker, which polls it. */
static void
test_asked(void **state)
{
	struct two *t = *state;
	struct lanes all = {.n = 2, .lane = {t->r->lane, t->second}, .qsbr = t->qsbr};
	struct virtqueue *vq = &t->r->tx[0]->vq;

	lanes_add(&all, &vq->source, t);
	vq->source.ops->ask(&vq->source);
	assert_int_equal(vq->used->flags, 0);
	assert_true(lanes_move(&all, &vq->source, 1));
	assert_int_equal(vq->used->flags, VRING_USED_F_NO_NOTIFY);
	lanes_remove(&all, &vq->source);
}

/* While a worker hangs, its rings stay with it, and the caller does not hang. */
static void
test_hangs(void **state)
{
	struct two *t = *state;
	struct lanes all = {.n = 2, .lane = {t->r->lane, t->second}, .qsbr = t->qsbr};
	struct source *s = &t->r->tx[0]->vq.source;

	lanes_add(&all, s, t);
	rte_rcu_qsbr_thread_register(t->qsbr, 0);
	rte_rcu_qsbr_thread_online(t->qsbr, 0);
	assert_false(lanes_move(&all, s, 1));
	assert_int_equal(t->r->lane->polled[0].n, 1);
	assert_int_equal(t->second->polled[0].n, 0);
	rte_rcu_qsbr_thread_offline(t->qsbr, 0);
	assert_true(lanes_move(&all, s, 1));
	assert_int_equal(t->second->polled[0].n, 1);
	rte_rcu_qsbr_thread_unregister(t->qsbr, 0);
	lanes_remove(&all, s);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, two_setup, two_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_parted),
			cmocka_unit_test(test_stays),
			cmocka_unit_test(test_ends),
			TEST(test_order),
			TEST(test_asked),
			TEST(test_hangs),
	};

	return cmocka_run_group_tests_name("balance", tests, unit_eal, unit_eal_end);
}
