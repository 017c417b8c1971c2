/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Announcements of migrated guests: one frame each, from the guest's port, forwarded like any frame. */
#include <rte_arp.h>
#include <rte_cycles.h>

#include "switch/retry.h"
#include "guest/announce.h"
#include "guest/ring.h"
#include "guest/tx.h"
#include "switch/park.h"
#include "rig.h"

#define GUESTS 3
#define CROWD 8      /* guests among which a burst of broadcasts costs more than a visit may */
#define LONGEST 1514 /* bytes of a frame */

static const struct rte_ether_addr moved = {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}};
static struct announcement a;

static int
setup(void **state)
{
	a = (struct announcement){0};
	*state = rig_create(GUESTS);
	return 0;
}

static int
setup_crowd(void **state)
{
	a = (struct announcement){0};
	*state = rig_create(CROWD);
	return 0;
}

static struct virtqueue *
ring_of(struct rig *r, uint16_t port)
{
	return &r->tx[port]->vq;
}

/* The ring is withdrawn, and published again. */
static void
arm(struct rig *r, uint16_t port)
{
	struct virtqueue *vq = ring_of(r, port);

	retry_release(&vq->source, rig_count(r, port));
	vq->source.ops = &tx_source_ops; /* as for each snapshot */
	announce_arm(vq, &a);
}

/* The next frame that a guest gets is the announcement. */
static void
expect_announcement(struct rig *r, uint16_t port)
{
	/* RFC 903, and what QEMU's own announcements look like. */
	static const uint8_t want[ANNOUNCE_BYTES] = {
			0xff,
			0xff,
			0xff,
			0xff,
			0xff,
			0xff,
			0x52,
			0x54,
			0,
			0xaa,
			0xbb,
			0xcc,
			0x80,
			0x35,
			0,
			1,
			8,
			0,
			6,
			4,
			0,
			3,
			0x52,
			0x54,
			0,
			0xaa,
			0xbb,
			0xcc,
			0,
			0,
			0,
			0,
			0x52,
			0x54,
			0,
			0xaa,
			0xbb,
			0xcc,
			0,
			0,
			0,
			0,
	};
	const uint8_t *got;
	uint32_t len;

	got = rig_take(r, port, &len);
	assert_non_null(got);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
}

static void
test_idle_ring(void **state)
{
	struct rig *r = *state;
	struct learn_request q;

	rig_offer(r, 1, 4);
	rig_offer(r, 2, 4);
	arm(r, 0); /* nothing was asked for */
	assert_false(source_has_work(&ring_of(r, 0)->source));
	announce_ask(&a, &moved);
	arm(r, 0);
	assert_true(source_has_work(&ring_of(r, 0)->source));
	rig_poll(r, 0);
	expect_announcement(r, 1);
	expect_announcement(r, 2);
	assert_true(rig_request(r, &q));
	assert_int_equal(q.port, 0);
	assert_int_equal(rig_count(r, 0)->received, 1);
	assert_int_equal(rig_count(r, 0)->delivered, 1);
	/* It is sent once, and the guest gets nothing back that it did not send. */
	assert_false(source_has_work(&ring_of(r, 0)->source));
	assert_ptr_equal(ring_of(r, 0)->source.ops, &tx_source_ops);
	arm(r, 0);
	rig_poll(r, 0);
	rig_expect_none(r, 1);
	ring_expect_none(r->tx[0]);
}

/* The guest has sent to guest `to` when it is announced: the announcement goes first, and delays nothing. */
static void
announce_before_others(struct rig *r, uint16_t to)
{
	const struct rte_ether_addr mac = mac_of(to, 0);
	unsigned int i;

	rig_learn(r, to, &mac);
	announce_ask(&a, &moved);
	arm(r, 0);
	for (i = 0; i < 10; i++)
		rig_send(r, 0, &mac, 60 + i, i);
	rig_poll(r, 0);
	rig_poll(r, 0);
	expect_announcement(r, to);
	for (i = 0; i < 10; i++)
		rig_expect(r, to, 0, &mac, 60 + i, i);
	assert_int_equal(rig_owed(r, 0), 0);
}

static void
test_busy_ring(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 20);
	rig_offer(r, 2, 20);
	announce_before_others(r, 1);
}

/* Without room it waits like other frames; frames of the guest may be done first. */
static void
test_waits(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 2, 20);
	announce_before_others(r, 2);
	rig_expect_none(r, 1);
	rig_offer(r, 1, 1);
	rig_poll(r, 0);
	expect_announcement(r, 1);
	assert_ptr_equal(ring_of(r, 0)->source.ops, &tx_source_ops);
	assert_int_equal(rig_owed(r, 0), 0);
}

/* While it waits, the guest floods more than one visit may cost: the rest stays in its ring. */
static void
test_waits_during_flood(void **state)
{
	static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rig *r = *state;
	unsigned int i;

	/* The others have no room. */
	rig_offer(r, 2, 1 + BURST_MAX);
	announce_ask(&a, &moved);
	arm(r, 0);
	rig_poll(r, 0);
	expect_announcement(r, 2);
	for (i = 0; i < BURST_MAX; i++)
		rig_send(r, 0, &everybody, LONGEST, i);
	rig_poll(r, 0);
	assert_in_range(rig_count(r, 0)->received, 2, BURST_MAX);
	rig_poll(r, 0);
	assert_int_equal(rig_count(r, 0)->received, 1 + BURST_MAX);
	for (i = 0; i < BURST_MAX; i++)
		rig_expect(r, 2, 0, &everybody, LONGEST, i);
	rig_offer(r, 1, 1);
	rig_poll(r, 0);
	expect_announcement(r, 1);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_ptr_equal(ring_of(r, 0)->source.ops, &tx_source_ops);
	assert_int_equal(rig_owed(r, 0), 0);
}

/* The ring is withdrawn while the announcement waits: it is dropped, and was counted. */
static void
test_withdrawn(void **state)
{
	struct rig *r = *state;

	announce_ask(&a, &moved);
	arm(r, 0);
	rig_poll(r, 0);
	arm(r, 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_PAUSED], 1);
	assert_false(source_has_work(&ring_of(r, 0)->source));
}

/* The ring is withdrawn before it is polled: the announcement is made later. */
static void
test_not_polled(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 4);
	rig_offer(r, 2, 4);
	announce_ask(&a, &moved);
	arm(r, 0);
	arm(r, 0);
	rig_poll(r, 0);
	expect_announcement(r, 1);
	rig_expect_none(r, 1);
}

/* If the visit ends before the announcement was touched it is due again, and the ring as it was. */
static void
test_put_back(void **state)
{
	struct rig *r = *state;
	struct virtqueue *vq = ring_of(r, 0);
	struct burst *b = &r->lane->burst;
	uint16_t at = vq->last_avail;

	rig_offer(r, 1, 4);
	rig_offer(r, 2, 4);
	announce_ask(&a, &moved);
	arm(r, 0);
	assert_int_equal(vq->source.ops->fetch(&vq->source, b, BURST_MAX), 1);
	vq->source.ops->unfetch(&vq->source, b, 0);
	assert_int_equal(b->n, 0);
	assert_int_equal(vq->last_avail, at);
	rig_poll(r, 0);
	expect_announcement(r, 1);
	expect_announcement(r, 2);
	assert_int_equal(vq->last_avail, at);
}

/* However often it is requested, it is made a hundred times a second at most. */
static void
test_rate(void **state)
{
	struct rig *r = *state;
	uint64_t period = rte_get_tsc_hz() / 100, begin = rte_rdtsc();
	unsigned int sent = 0, asked = 0, port, most;
	uint32_t len;

	rig_offer(r, 1, 10);
	rig_offer(r, 2, 10);
	/* However long this thread is kept from its CPU in between. */
	while (rte_rdtsc() - begin < 5 * period || asked < 1000 || sent < 4) {
		announce_ask(&a, &moved);
		asked++;
		arm(r, 0);
		rig_poll(r, 0);
		for (port = 1; port < GUESTS; port++) {
			while (rig_take(r, port, &len) != NULL) {
				sent++;
				rig_offer(r, port, 1);
			}
		}
	}
	most = 1 + (rte_rdtsc() - begin) / period;
	assert_true(asked > 2 * most);
	assert_true(sent <= 2 * most); /* two guests get each */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_idle_ring),
			TEST(test_busy_ring),
			TEST(test_waits),
			cmocka_unit_test_setup_teardown(
					test_waits_during_flood, setup_crowd, rig_teardown),
			TEST(test_withdrawn),
			TEST(test_not_polled),
			TEST(test_put_back),
			TEST(test_rate),
	};

	return cmocka_run_group_tests_name("announce", tests, unit_eal, unit_eal_end);
}
