/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The way of a burst through real rings: delivery, waiting for room, giving up. See test_flood.c for group frames. */
#include "switch/retry.h"
#include "switch/park.h"
#include "rig.h"

static void
test_deliver(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	rig_offer(r, 1, 100);
	for (i = 0; i < 100; i++)
		rig_send(r, 0, &r->mac[1], 60 + i, i);
	rig_poll(r, 0); /* a burst, */
	assert_int_equal(rig_owed(r, 0), 100 - BURST_MAX);
	rig_poll(r, 0); /* and the rest */
	assert_int_equal(rig_owed(r, 0), 0);
	for (i = 0; i < 100; i++)
		rig_expect(r, 1, 0, &r->mac[1], 60 + i, i);
	rig_expect_none(r, 1);
	assert_int_equal(rig_count(r, 0)->received, 100);
	assert_int_equal(rig_count(r, 0)->delivered, 100);
	assert_int_equal(rig_count(r, 0)->received_bytes, 100 * 60 + 99 * 50);
	assert_int_equal(rig_count(r, 1)->sent_bytes, 100 * 60 + 99 * 50);
	assert_int_equal(rig_count(r, 1)->sent, 100);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->received, 100);
}

/* A full ring delays only the frames that want it, and keeps their order. */
static void
test_full_ring(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	rig_offer(r, 2, 10);
	for (i = 0; i < 6; i++)
		rig_send(r, 0, &r->mac[i % 2 ? 2 : 1], 60, i);
	rig_poll(r, 0);
	for (i = 1; i < 6; i += 2)
		rig_expect(r, 2, 0, &r->mac[2], 60, i);
	assert_int_equal(rig_parked(r, 0), 3);
	assert_int_equal(rig_owed(r, 0), 3);
	assert_int_equal(rig_count(r, 0)->received, 6);
	assert_int_equal(rig_count(r, 0)->delivered, 3);
	rig_poll(r, 0); /* nothing has changed */
	assert_int_equal(rig_parked(r, 0), 3);
	/* Room for one; a new frame must not take it from those that wait. */
	rig_send(r, 0, &r->mac[1], 60, 6);
	rig_send(r, 0, &r->mac[2], 60, 7);
	rig_offer(r, 1, 1);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 0);
	rig_expect_none(r, 1);
	rig_expect(r, 2, 0, &r->mac[2], 60, 7);
	assert_int_equal(rig_parked(r, 0), 3);
	rig_offer(r, 1, 10);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 2);
	rig_expect(r, 1, 0, &r->mac[1], 60, 4);
	rig_expect(r, 1, 0, &r->mac[1], 60, 6);
	assert_int_equal(rig_parked(r, 0), 0);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_count(r, 0)->delivered, 8);
	assert_int_equal(rig_count(r, 1)->missed, 0);
}

/* Other senders are not delayed, except in what they send to the full ring. */
static void
test_full_ring_others(void **state)
{
	struct rig *r = *state;

	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	rig_offer(r, 0, 1);
	rig_send(r, 2, &r->mac[1], 60, 2);
	rig_send(r, 2, &r->mac[0], 60, 3);
	rig_poll(r, 2);
	rig_expect(r, 0, 2, &r->mac[0], 60, 3);
	assert_int_equal(rig_parked(r, 2), 1);
}

static void
test_deadline(void **state)
{
	struct rig *r = *state;

	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_send(r, 0, &r->mac[1], 60, 2);
	rig_poll(r, 0);
	rig_expire(r, 0);
	/* It is tried once more: room in the last moment is enough. */
	rig_offer(r, 1, 1);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 1);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1);
	assert_int_equal(rig_count(r, 0)->delivered, 1);
	assert_int_equal(rig_count(r, 1)->missed, 1);
	assert_int_equal(rig_parked(r, 0), 0);
	assert_int_equal(rig_owed(r, 0), 0);
}

static void
test_next_try(void **state)
{
	struct rig *r = *state;
	struct park *p = r->tx[0]->vq.source.park;

	r->lane->retry_delay = UINT64_MAX / 4;
	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	rig_offer(r, 1, 1);
	rig_poll(r, 0); /* too early */
	rig_expect_none(r, 1);
	p->next_try = 0;
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 1);
}

static void
test_no_retry(void **state)
{
	struct rig *r = *state;

	r->lane->retry_time = 0;
	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1);
	assert_int_equal(rig_count(r, 1)->missed, 1);
	assert_int_equal(rig_parked(r, 0), 0);
	assert_int_equal(rig_owed(r, 0), 0);
}

/* The port's next tenant gets nothing that was for the one before. */
static void
test_epoch(void **state)
{
	struct rig *r = *state;

	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	r->ports.port[1].epoch++;
	rig_offer(r, 1, 1);
	rig_poll(r, 0);
	rig_expect_none(r, 1);
	assert_int_equal(rig_count(r, 0)->drop[DROP_GONE], 1);
	assert_int_equal(rig_count(r, 1)->missed, 0);
	assert_int_equal(rig_owed(r, 0), 0);
}

static void
test_paused_destination(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 2);
	r->set[1].vq[0] = NULL;
	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	assert_int_equal(rig_parked(r, 0), 1);
	r->set[1].vq[0] = &r->rx[1]->vq; /* back in time */
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 1);
	r->ports.port[1].sink = NULL; /* stopped */
	rig_send(r, 0, &r->mac[1], 60, 2);
	rig_poll(r, 0);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_GONE], 1);
	assert_int_equal(rig_count(r, 1)->missed, 1);
}

static void
test_stopped_destination(void **state)
{
	struct rig *r = *state;

	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_poll(r, 0);
	ring_offer(r->rx[1], RIG_RING); /* breaks the rules, seen at the next try */
	rig_send(r, 0, &r->mac[1], 60, 2);
	rig_poll(r, 0);
	assert_int_equal(r->rx[1]->vq.fault, FAULT_HEAD);
	rig_poll(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_GONE], 2);
	assert_int_equal(rig_count(r, 1)->missed, 2);
	assert_int_equal(rig_parked(r, 0), 0);
}

static void
test_release(void **state)
{
	struct rig *r = *state;
	struct source *s = &r->tx[0]->vq.source;
	struct port_count count = {0};

	rig_send(r, 0, &r->mac[1], 60, 1);
	rig_offer(r, 2, 1);
	rig_send(r, 0, &mac_broadcast, 60, 2); /* one gets it */
	rig_send(r, 0, &r->mac[1], 60, 3);
	rig_poll(r, 0);
	assert_int_equal(rig_owed(r, 0), 3);
	retry_release(s, &count);
	assert_int_equal(count.drop[DROP_PAUSED], 2);
	assert_int_equal(count_dropped(&count), 2);
	rig_count(r, 0)->drop[DROP_PAUSED] += 2; /* for the sums */
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_parked(r, 0), 0);
	assert_false(s->waiting);
	/* The port is as good as new. */
	rig_offer(r, 1, 1);
	rig_send(r, 0, &r->mac[1], 60, 4);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 4);
}

/*
 * However long a ring is full, it takes no more than its share of the places for frames that wait.
 * What exceeds it is dropped. Frames to others go on: some wait for room, too, and none is lost.
 */
static void
test_park_share(void **state)
{
	struct rig *r = *state;
	unsigned int i, n = PARK_FRAMES + 30, waiting;

	for (i = 0; i < n; i++) {
		r->tx[0]->free = RING_GPA + i % 64 * 100; /* so little memory is enough */
		rig_send(r, 0, &r->mac[1], 60, i % 64);
	}
	for (i = 0; i < 20; i++)
		rig_poll(r, 0);
	waiting = rig_parked(r, 0);
	assert_true(waiting > PARK_FRAMES * 3 / 4 && waiting < PARK_FRAMES - BURST_MAX);
	assert_int_equal(rig_count(r, 0)->received, n);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], n - waiting);
	r->tx[0]->free = RING_GPA + 64 * 100;
	for (i = 0; i < BURST_MAX; i++)
		rig_send(r, 0, &r->mac[2], 60, i);
	rig_poll(r, 0);
	assert_int_equal(rig_parked(r, 0), waiting + BURST_MAX);
	rig_offer(r, 2, 200);
	for (i = 0; i < 100; i++)
		rig_send(r, 0, &r->mac[2], 60, BURST_MAX + i);
	for (i = 0; i < 5; i++)
		rig_poll(r, 0);
	assert_int_equal(rig_count(r, 2)->sent, BURST_MAX + 100);
	assert_int_equal(rig_count(r, 2)->missed, 0);
	rig_offer(r, 1, n);
	for (i = 0; i < 5; i++)
		rig_poll(r, 0);
	assert_int_equal(rig_count(r, 1)->sent, waiting);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_parked(r, 0), 0);
}

/* Another worker fills a ring: it is full for this moment, also where nothing else waits. */
static void
test_ring_in_use(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	r->lane->retry_time = 0;
	r->lane->put_off_time = UINT64_MAX / 4;
	for (i = 0; i < 3; i++)
		rig_offer(r, 1, 1);
	rig_offer(r, 2, 4);
	rte_spinlock_lock(&r->rx[1]->vq.leases.lock);
	rig_send(r, 0, &r->mac[1], 60, 0);
	rig_send(r, 0, &r->mac[2], 60, 1);
	rig_poll(r, 0);
	rig_expect(r, 2, 0, &r->mac[2], 60, 1);
	rig_send(r, 0, &r->mac[1], 60, 2);
	rig_send(r, 0, &mac_broadcast, 60, 3); /* 3 has no room: dropped */
	rig_poll(r, 0);
	rig_expect(r, 2, 0, &mac_broadcast, 60, 3);
	assert_int_equal(rig_parked(r, 0), 3);
	assert_int_equal(rig_count(r, 3)->missed, 1);
	rig_expect_none(r, 1);
	rte_spinlock_unlock(&r->rx[1]->vq.leases.lock);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 2);
	rig_expect(r, 1, 0, &mac_broadcast, 60, 3);
	assert_int_equal(rig_parked(r, 0), 0);
	/* They wait for put_off_time, however many passes that takes, and no longer. */
	rte_spinlock_lock(&r->rx[1]->vq.leases.lock);
	rig_send(r, 0, &r->mac[1], 60, 4);
	for (i = 0; i < 30; i++)
		rig_poll(r, 0);
	assert_int_equal(rig_parked(r, 0), 1);
	r->lane->put_off_time = 0;
	rig_poll(r, 0);
	assert_int_equal(rig_parked(r, 0), 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1);
	rte_spinlock_unlock(&r->rx[1]->vq.leases.lock);
}

/* The worker was without its CPU for longer than a frame waits that was put off: it is tried again all the same. */
static void
test_put_off_and_away(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	r->lane->retry_time = r->lane->put_off_time = 0;
	rig_offer(r, 1, 1);
	rte_spinlock_lock(&r->rx[1]->vq.leases.lock);
	rig_send(r, 0, &r->mac[1], 60, 0);
	for (i = 0; i < 4; i++)
		rig_poll(r, 0);
	rte_spinlock_unlock(&r->rx[1]->vq.leases.lock);
	rig_poll(r, 0);
	rig_expect(r, 1, 0, &r->mac[1], 60, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 0);
}

/* Too many fragments to wait: dropped at once, while its neighbours wait. */
static void
test_many_frags(void **state)
{
	struct rig *r = *state;
	struct ring *tx = r->tx[0];
	uint64_t gpa = ring_bytes(tx, 12 + 60);
	unsigned int i;

	memset(ring_at(tx, gpa, 12), 0, 12);
	frame_make(ring_at(tx, gpa, 72) + 12, &r->mac[1], &r->mac[0], 60, 1);
	for (i = 0; i < PARK_FRAGS + 1; i++)
		ring_desc(tx, i, gpa + (i == 0 ? 0 : 26 + i),
				i == 0                            ? 27
						: i == PARK_FRAGS ? 26
								  : 1,
				i == PARK_FRAGS ? 0 : NEXT, i + 1);
	ring_offer(tx, 0);
	r->tx_next[0] = PARK_FRAGS + 1;
	rig_send(r, 0, &r->mac[1], 60, 2);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1);
	assert_int_equal(rig_count(r, 1)->missed, 1);
	assert_int_equal(rig_parked(r, 0), 1);
	ring_expect(tx, 0, 0);
}

/*
 * At random, guests send to each other and to all, offer room or none, and are late. Each receiver
 * sees the frames of each sender in the order in which they were sent.
 */
static void
test_order_at_random(void **state)
{
	uint32_t sent[RIG_GUESTS] = {0}, seen[RIG_GUESTS][RIG_GUESTS] = {{0}}, len, seq;
	struct rig *r = *state;
	uint64_t random = 11;
	const uint8_t *f;
	unsigned int round, from, to, i;

	for (round = 0; round < 20000; round++) {
		from = unit_random(&random) % RIG_GUESTS;
		to = unit_random(&random) % RIG_GUESTS;
		for (i = unit_random(&random) % 8; i > 0 && rig_owed(r, from) < 900; i--) {
			r->tx[from]->free = RING_GPA + r->tx_next[from] % RIG_RING * 100;
			f = rig_send(r, from,
					unit_random(&random) % 8 ? &r->mac[to] : &mac_broadcast, 60,
					0);
			seq = ++sent[from];
			memcpy((uint8_t *)(uintptr_t)f + 14, &seq, sizeof(seq));
		}
		if (unit_random(&random) % 16 == 0)
			rig_expire(r, from);
		rig_poll(r, from);
		if (unit_random(&random) % 4 == 0 &&
				r->rx[to]->vq.last_avail == r->rx[to]->vq.avail->idx)
			rig_offer(r, to, unit_random(&random) % 32);
		while ((f = rig_take(r, to, &len)) != NULL) {
			assert_int_equal(len, 60);
			memcpy(&seq, f + 14, sizeof(seq));
			i = f[6 + 4]; /* the sender's port, see mac_of() */
			assert_true(i != to);
			assert_true(seq > seen[to][i]);
			seen[to][i] = seq;
		}
	}
	/* Much was delivered, and much was not. */
	for (i = 0; i < RIG_GUESTS; i++) {
		assert_true(rig_count(r, i)->delivered > 1000);
		assert_true(rig_count(r, i)->drop[DROP_RING_FULL] > 100);
		assert_true(rig_count(r, i)->flooded > 100);
	}
}

/* Retries without a pause are retries: --rx-retry-delay 0. */
static void
test_no_pause(void **state)
{
	struct rig *r = *state;
	struct lane *l;

	r->conf.rx_retry_delay = 0;
	l = lane_create(&r->lane->shared, 0, 0);
	assert_non_null(l);
	assert_true(l->retry_time >= r->conf.rx_retry_num && l->retry_delay > 0);
	lane_destroy(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_deliver),
			TEST(test_full_ring),
			TEST(test_full_ring_others),
			TEST(test_deadline),
			TEST(test_next_try),
			TEST(test_no_retry),
			TEST(test_epoch),
			TEST(test_paused_destination),
			TEST(test_stopped_destination),
			TEST(test_release),
			TEST(test_park_share),
			TEST(test_ring_in_use),
			TEST(test_put_off_and_away),
			TEST(test_many_frags),
			TEST(test_order_at_random),
			TEST(test_no_pause),
	};

	unit_both();
	return cmocka_run_group_tests_name("forward", tests, unit_eal, unit_eal_end);
}
