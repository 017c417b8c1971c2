/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Who is served next, and how much one visit may cost: the scheduler, the budgets, the loop. */
#include "frame/cost.h"
#include "switch/forward.h"
#include "switch/share.h"
#include "rig.h"

/* A guest of the scheduler alone: what a visit costs, and how often it has something to do. */
struct taker {
	uint32_t cost;
	unsigned int rings, every; /* has work in one of so many rounds */
	struct share share;
	uint64_t got, visits;
};

static void
serve(struct taker *t, unsigned int n, unsigned int rounds)
{
	struct share_clock c = {.now = 7};
	unsigned int round, i, k;

	for (round = 0; round < rounds; round++) {
		share_round(&c);
		for (i = 0; i < n; i++) {
			for (k = 0; k < t[i].rings && round % t[i].every == 0; k++) {
				if (!share_may(&c, &t[i].share))
					break;
				share_visited(&c, &t[i].share, t[i].cost);
				t[i].got += t[i].cost;
				t[i].visits++;
			}
		}
		share_round_over(&c);
	}
}

/* Guests with work at all times get the same, whatever a visit costs and however many rings. */
static void
test_equal(void **state)
{
	struct taker t[] = {
			{.cost = 3500, .rings = 1, .every = 1},
			{.cost = 3600, .rings = 1, .every = 1},
			{.cost = 25000, .rings = 1, .every = 1},
			{.cost = 100000, .rings = 1, .every = 1},
			{.cost = 3500, .rings = 16, .every = 1},
			{.cost = 100000, .rings = 16, .every = 1},
	};
	unsigned int i;

	(void)state;
	serve(t, RTE_DIM(t), 100000);
	for (i = 1; i < RTE_DIM(t); i++)
		assert_true(t[i].got > t[0].got * 0.97 && t[i].got < t[0].got * 1.03);
}

/* Guests that are about even share rounds: a worker does not pass all of them for a single visit. */
static void
test_rounds(void **state)
{
	struct taker t[64] = {{0}};
	uint64_t visits = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < 64; i++)
		t[i] = (struct taker){.cost = 3000 + i * 10, .rings = 1, .every = 1};
	serve(t, 64, 10000);
	for (i = 0; i < 64; i++)
		visits += t[i].visits;
	assert_true(visits > 64 * 10000 / 2);
}

/* A guest that is alone never waits; nor does one that has less to do than its share. */
static void
test_alone(void **state)
{
	struct taker one = {.cost = 100000, .rings = 1, .every = 1};
	struct taker two[] = {
			{.cost = 1000, .rings = 1, .every = 10},
			{.cost = 100000, .rings = 4, .every = 1},
	};

	(void)state;
	serve(&one, 1, 1000);
	assert_int_equal(one.visits, 1000);
	serve(two, 2, 10000);
	assert_int_equal(two[0].visits, 1000);
}

/* Rounds in which one guest alone has work, and may always go on. */
static void
work(struct share_clock *c, struct share *s, unsigned int rounds)
{
	for (; rounds > 0; rounds--) {
		share_round(c);
		assert_true(share_may(c, s));
		share_visited(c, s, 10000);
		share_round_over(c);
	}
}

/* A guest without work saves nothing up, and a debt does not last for ever. */
static void
test_no_savings(void **state)
{
	struct share a = {0}, b = {0};
	struct share_clock c = {0};
	unsigned int i;

	(void)state;
	work(&c, &a, 1000);
	share_round(&c);
	share_visited(&c, &b, 10000);
	assert_true(b.used >= a.used);
	/* A charge without a visit, then rest. */
	share_charge(&c, &b, 1000000);
	assert_false(share_may(&c, &b));
	for (i = 0; i < 2; i++) {
		share_round(&c);
		share_may(&c, &b);
		share_round_over(&c);
	}
	assert_true(share_may(&c, &b));
}

/* Rounds in which nobody has work. */
static void
idle(struct share_clock *c, unsigned int rounds)
{
	for (; rounds > 0; rounds--) {
		share_round(c);
		share_round_over(c);
	}
}

/* While nobody works the clock stands, once all debts have ended: else a worker that is idle for months wraps it. */
static void
test_idle(void **state)
{
	struct share s = {0};
	struct share_clock c = {0};

	(void)state;
	idle(&c, 1000);
	assert_int_equal(c.now, 0);
	share_charge(&c, &s, 100000);
	assert_false(share_may(&c, &s));
	idle(&c, 1000);
	assert_int_equal(c.now, 100000);
	assert_true(share_may(&c, &s));
}

/* A clock that wraps all the same lets everybody work, and keeps nobody's debt for ever. */
static void
test_wrap(void **state)
{
	const uint64_t begin = UINT64_MAX - 100000;
	struct share a = {.used = begin}, b = a;
	struct share_clock c = {.now = begin, .most = begin};

	(void)state;
	work(&c, &a, 1000);
	assert_true(c.now < begin);
	share_round(&c);
	assert_true(share_may(&c, &b));
	share_visited(&c, &b, 10000);
	assert_int_equal(b.used, c.now + 10000); /* it has saved nothing */
	/* A debt across the top. */
	c.now = c.most = a.used = begin;
	share_charge(&c, &a, 1000000);
	assert_false(share_may(&c, &a));
	idle(&c, 1000);
	assert_int_equal(c.now, a.used);
	assert_true(share_may(&c, &a));
}

#define GUESTS 200

static int
setup(void **state)
{
	*state = rig_create_known(GUESTS);
	return 0;
}

/* Chains of empty descriptors: few of them are looked at in a visit, and each is paid for. */
static void
test_empty_chains(void **state)
{
	struct rig *r = *state;
	struct ring *tx = r->tx[0];
	uint64_t table = ring_bytes(tx, CHAIN_MAX * 16);
	unsigned int i, visits = 0, before;
	uint32_t cost;

	for (i = 0; i < CHAIN_MAX; i++)
		ring_table(tx, table, i, 0, 0, i == CHAIN_MAX - 1 ? 0 : NEXT, i + 1);
	ring_desc(tx, 0, table, CHAIN_MAX * 16, INDIRECT, 0);
	for (i = 0; i < BURST_MAX; i++)
		ring_offer(tx, 0);
	for (; rig_owed(r, 0) != 0; visits++) {
		before = rig_count(r, 0)->drop[DROP_SHORT];
		cost = forward_poll(r->lane, &tx->vq.source);
		assert_true(cost <= COST_VISIT_MAX);
		assert_true(cost >= (rig_count(r, 0)->drop[DROP_SHORT] - before) * CHAIN_MAX *
						COST_DESC);
	}
	assert_int_equal(rig_count(r, 0)->drop[DROP_SHORT], BURST_MAX);
	assert_true(visits >= BURST_MAX * CHAIN_MAX * COST_DESC / COST_VISIT_MAX);
}

/* A frame that is dropped costs about as much as one that is delivered. */
static void
test_dropped(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	for (i = 0; i < BURST_MAX; i++)
		ring_one(r->tx[0], i, ring_bytes(r->tx[0], 1), 1, 0);
	assert_int_equal(forward_poll(r->lane, &r->tx[0]->vq.source),
			COST_VISIT + BURST_MAX * (COST_FRAME + COST_DROP));
	assert_int_equal(rig_count(r, 0)->drop[DROP_SHORT], BURST_MAX);
}

/* Many regions of memory make each look at a descriptor longer. */
static void
test_regions(void **state)
{
	struct rig *r = *state;
	struct ring *tx = r->tx[0];
	unsigned int i, k;
	uint32_t cost[2];

	for (k = 0; k < 2; k++) {
		for (i = 0; i < 8; i++)
			ring_desc(tx, i, 0, 0, i < 7 ? NEXT : 0, i + 1);
		ring_offer(tx, 0);
		cost[k] = forward_poll(r->lane, &tx->vq.source);
		tx->mem.n = GUEST_REGIONS;
	}
	assert_int_equal(cost[1] - cost[0], 8 * COST_REGION * (GUEST_REGIONS - COST_REGIONS_FREE));
}

/* Broadcasts to many ports pay for each copy; what a visit does not do the next ones do, in order. */
static void
test_broadcasts(void **state)
{
	struct rig *r = *state;
	unsigned int i, n, visits = 0;
	uint32_t cost;

	for (i = 1; i < GUESTS; i++)
		rig_offer(r, i, 2 * BURST_MAX);
	for (i = 0; i < BURST_MAX; i++)
		rig_send(r, 0, &mac_broadcast, 60, i);
	rig_send(r, 0, &r->mac[1], 60, BURST_MAX);
	for (; rig_owed(r, 0) != 0; visits++) {
		n = rig_owed(r, 0);
		cost = forward_poll(r->lane, &r->tx[0]->vq.source);
		assert_true(rig_owed(r, 0) < n); /* something is done each time */
		assert_true(cost >= (n - rig_owed(r, 0)) * 1ul * (COST_COPY + COST_BYTES(60)));
		assert_true(cost < COST_VISIT_MAX * 5 / 4);
	}
	assert_true(visits > 5 && visits < BURST_MAX);
	for (i = 0; i < BURST_MAX; i++) {
		rig_expect(r, 1, 0, &mac_broadcast, 60, i);
		rig_expect(r, GUESTS - 1, 0, &mac_broadcast, 60, i);
	}
	rig_expect(r, 1, 0, &r->mac[1], 60, BURST_MAX);
	assert_int_equal(rig_count(r, 0)->delivered, BURST_MAX + 1);
	assert_int_equal(rig_count(r, 0)->flooded, BURST_MAX * (GUESTS - 2));
}

/* Receive chains of the greatest length: their guest pays for what no driver needs, not the sender. */
static void
test_long_receive_chains(void **state)
{
	struct rig *r = *state;
	struct ring *rx = r->rx[1];
	uint64_t table = ring_bytes(rx, CHAIN_MAX * 16), at = ring_bytes(rx, 100);
	struct share *share = &r->lane->polled[1].share;
	unsigned int i;
	uint32_t cost;

	for (i = 0; i < CHAIN_MAX; i++)
		ring_table(rx, table, i, at, i == 0 ? 100 : 0,
				WRITE | (i == CHAIN_MAX - 1 ? 0 : NEXT), i + 1);
	ring_desc(rx, 0, table, CHAIN_MAX * 16, INDIRECT, 0);
	for (i = 0; i < BURST_MAX; i++)
		ring_offer(rx, 0);
	for (i = 0; i < BURST_MAX; i++)
		rig_send(r, 0, &r->mac[1], 60, i);
	cost = forward_poll(r->lane, &r->tx[0]->vq.source);
	assert_true(cost < COST_VISIT_MAX / 4);
	assert_true(share->used > (CHAIN_MAX - 64) * COST_DESC);
	/* Not all of a burst is done at once: the rest waits until its guest may have more. */
	assert_true(rig_count(r, 1)->sent > 0 && rig_count(r, 1)->sent < 10);
	assert_false(share_may(&r->lane->clock, share));
	r->lane->clock.now = share->used;
	i = rig_count(r, 1)->sent;
	rig_poll(r, 0);
	assert_true(rig_count(r, 1)->sent > i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_equal),
			cmocka_unit_test(test_rounds),
			cmocka_unit_test(test_alone),
			cmocka_unit_test(test_no_savings),
			cmocka_unit_test(test_idle),
			cmocka_unit_test(test_wrap),
			TEST(test_empty_chains),
			TEST(test_dropped),
			TEST(test_regions),
			TEST(test_broadcasts),
			TEST(test_long_receive_chains),
	};

	return cmocka_run_group_tests_name("share", tests, unit_eal, unit_eal_end);
}
