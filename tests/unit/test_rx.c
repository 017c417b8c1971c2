/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Receive rings as destinations: order, room, chains, mergeable buffers, signals. */
#include <rte_common.h>

#include "frame/cost.h"
#include "pair.h"

/* What the receiver finds at gpa: the header, then the frame. */
static void
assert_received(struct pair *p, uint64_t gpa, uint32_t len, uint32_t seed)
{
	uint32_t hdr = p->rx->vq.hdr_len;
	const uint8_t *at = ring_at(p->rx, gpa, hdr + len);
	uint8_t want[10000];

	memset(want, 0, HDR);
	if (hdr == HDR)
		want[10] = 1; /* num_buffers */
	assert_memory_equal(at, want, hdr);
	frame_make(want, &p->to, &p->from, len, seed);
	assert_memory_equal(at + hdr, want, len);
}

static void
test_deliver(void **state)
{
	struct pair *p = *state;
	uint64_t room[4];
	struct outcome o;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		pair_send(p, i, 60 + i * 400);
		room[i] = ring_room(p->rx, 10 + i, 2048);
	}
	assert_int_equal(pair_fetch(p, BURST_MAX), 4);
	/* Frames for others are skipped; the rest is delivered in order. */
	o = pair_deliver(p, 0xd);
	assert_int_equal(o.taken, 0xd);
	assert_int_equal(o.refused, 0);
	assert_received(p, room[0], 60, 60);
	assert_received(p, room[1], 860, 860);
	assert_received(p, room[2], 1260, 1260);
	assert_int_equal(*ring_at(p->rx, room[2] + HDR + 1260, 1), 0xee); /* and no further */
	ring_expect(p->rx, 10, HDR + 60);
	ring_expect(p->rx, 11, HDR + 860);
	ring_expect(p->rx, 12, HDR + 1260);
	ring_expect_none(p->rx);
	assert_int_equal(p->count.sent, 3);
	assert_int_equal(p->count.sent_bytes, 60 + 860 + 1260);
	assert_int_equal(p->count.signals, 0);
}

static void
test_deliver_short_header(void **state)
{
	struct pair *p = *state;
	uint64_t room;

	p->rx->vq.hdr_len = 10;
	pair_send(p, 0, 60);
	room = ring_room(p->rx, 0, 70); /* just enough */
	pair_fetch(p, 1);
	assert_int_equal(pair_deliver(p, 1).taken, 1);
	assert_received(p, room, 60, 60);
	ring_expect(p->rx, 0, 70);
}

/* The first frame that finds no room ends the burst, as none may overtake it. */
static void
test_deliver_no_room(void **state)
{
	struct pair *p = *state;
	struct outcome o;
	unsigned int i;

	for (i = 0; i < BURST_MAX; i++)
		pair_send(p, i, 60 + i);
	for (i = 0; i < 5; i++)
		ring_room(p->rx, i, 200);
	pair_fetch(p, BURST_MAX);
	o = pair_deliver(p, UINT64_MAX);
	assert_int_equal(o.taken, 0x1f);
	assert_int_equal(o.refused, 0);
	o = pair_deliver(p, UINT64_MAX & ~UINT64_C(0x1f));
	assert_int_equal(o.taken, 0);
	ring_room(p->rx, 5, 200);
	o = pair_deliver(p, UINT64_MAX & ~UINT64_C(0x1f));
	assert_int_equal(o.taken, 0x20);
	for (i = 0; i < 6; i++)
		ring_expect(p->rx, i, HDR + 60 + i);
}

/* Too small a buffer, without mergeable ones: refused; the buffer serves the next frame. */
static void
test_deliver_too_small(void **state)
{
	struct pair *p = *state;
	struct outcome o;

	pair_send(p, 0, 61);
	pair_send(p, 1, 60);
	ring_room(p->rx, 7, HDR + 60);
	pair_fetch(p, BURST_MAX);
	o = pair_deliver(p, 3);
	assert_int_equal(o.refused, 1);
	assert_int_equal(o.taken, 2);
	assert_int_equal(p->burst.frame[0].reason, DROP_TOO_BIG);
	ring_expect(p->rx, 7, HDR + 60);
}

/* Buffers that can't be used go back unused, one for each frame that met them. */
static void
test_deliver_bad(void **state)
{
	struct pair *p = *state;
	struct outcome o;
	uint64_t room;
	unsigned int i;

	for (i = 0; i < 5; i++)
		pair_send(p, i, 60);
	ring_desc(p->rx, 0, RING_END, 100, WRITE, 0);     /* outside */
	ring_desc(p->rx, 1, RING_GPA, 100, 0, 0);         /* not writable */
	ring_desc(p->rx, 2, RING_GPA, HDR - 1, WRITE, 0); /* no room for the header */
	for (i = 0; i < 3; i++)
		ring_offer(p->rx, i);
	room = ring_room(p->rx, 3, 100);
	pair_fetch(p, BURST_MAX);
	o = pair_deliver(p, 0x1f);
	assert_int_equal(o.refused, 0x7);
	assert_int_equal(o.taken, 0x8);
	for (i = 0; i < 3; i++) {
		assert_int_equal(p->burst.frame[i].reason, DROP_RX_DESCRIPTOR);
		ring_expect(p->rx, i, 0);
	}
	ring_expect(p->rx, 3, HDR + 60);
	assert_received(p, room, 60, 60);
	assert_int_equal(p->count.sent, 1);
}

static void
test_deliver_fault(void **state)
{
	struct pair *p = *state;
	struct outcome o;

	pair_send(p, 0, 60);
	pair_fetch(p, 1);
	ring_desc(p->rx, 0, RING_GPA, 1, WRITE | NEXT, 0); /* a loop */
	ring_offer(p->rx, 0);
	o = pair_deliver(p, 1);
	assert_int_equal(o.taken | o.refused, 0);
	assert_int_equal(p->rx->vq.fault, FAULT_LOOP);
	ring_expect_none(p->rx);
	o = pair_deliver(p, 1);
	assert_int_equal(o.taken | o.refused, 0);
}

/* Header and frame over the descriptors of one chain, cut anywhere. */
static void
test_deliver_chain(void **state)
{
	struct pair *p = *state;
	uint64_t gpa = ring_bytes(p->rx, 200);
	uint32_t a, b, total = HDR + 40;

	for (a = HDR; a < total; a++) {
		for (b = 1; a + b <= total; b += 3) {
			p->tx->free = RING_GPA;
			pair_send(p, 0, 40);
			ring_desc(p->rx, 5, gpa, a, WRITE | NEXT, 6);
			ring_desc(p->rx, 6, gpa + a, b, WRITE | NEXT, 7);
			ring_desc(p->rx, 7, gpa + a + b, 200 - a - b, WRITE, 0);
			ring_offer(p->rx, 5);
			memset(ring_at(p->rx, gpa, 200), 0xee, 200);
			assert_int_equal(pair_fetch(p, 1), 1);
			assert_int_equal(pair_deliver(p, 1).taken, 1);
			pair_retire(p, 1);
			ring_expect(p->rx, 5, total);
			assert_received(p, gpa, 40, 40);
			assert_int_equal(*ring_at(p->rx, gpa + total, 1), 0xee);
		}
	}
	/* The header itself in several descriptors. */
	pair_send(p, 0, 40);
	ring_desc(p->rx, 5, gpa, 1, WRITE | NEXT, 6);
	ring_desc(p->rx, 6, gpa + 1, 7, WRITE | NEXT, 7);
	ring_desc(p->rx, 7, gpa + 8, 100, WRITE, 0);
	ring_offer(p->rx, 5);
	pair_fetch(p, 1);
	assert_int_equal(pair_deliver(p, 1).taken, 1);
	assert_received(p, gpa, 40, 40);
}

static void
test_deliver_mergeable(void **state)
{
	struct pair *p = *state;
	uint8_t got[HDR + 1000], want[1000];
	uint64_t room[5];
	struct outcome o;
	unsigned int i, at = 0;

	p->rx->vq.mergeable = true;
	pair_send(p, 0, 1000);
	pair_fetch(p, 1);
	for (i = 0; i < 3; i++)
		room[i] = ring_room(p->rx, 20 + i, 300);
	o = pair_deliver(p, 1); /* 900 bytes of room: not yet, and nothing is taken */
	assert_int_equal(o.taken | o.refused, 0);
	ring_expect_none(p->rx);
	for (; i < 5; i++)
		room[i] = ring_room(p->rx, 20 + i, 300);
	assert_int_equal(pair_deliver(p, 1).taken, 1);
	for (i = 0; i < 4; i++) {
		ring_expect(p->rx, 20 + i, i < 3 ? 300 : HDR + 1000 - 900);
		memcpy(got + at, ring_at(p->rx, room[i], 300), RTE_MIN(300u, sizeof(got) - at));
		at += 300;
	}
	ring_expect_none(p->rx); /* the fifth is still the guest's */
	assert_int_equal(got[10] | got[11] << 8, 4);
	got[10] = 0;
	memset(want, 0, HDR);
	assert_memory_equal(got, want, HDR);
	frame_make(want, &p->to, &p->from, 1000, 1000);
	assert_memory_equal(got + HDR, want, 1000);
	assert_int_equal(p->count.sent, 1);
	/* The next frame begins with the next buffer, and says that it needs one. */
	pair_send(p, 1, 100);
	pair_fetch(p, 1);
	assert_int_equal(pair_deliver(p, 1).taken, 1);
	assert_received(p, room[4], 100, 100);
	ring_expect(p->rx, 24, HDR + 100);
}

/* A bad buffer among mergeable ones: all that were gathered go back. */
static void
test_deliver_mergeable_bad(void **state)
{
	struct pair *p = *state;
	struct outcome o;
	unsigned int i;

	p->rx->vq.mergeable = true;
	pair_send(p, 0, 1000);
	pair_fetch(p, 1);
	ring_room(p->rx, 0, 300);
	ring_desc(p->rx, 1, RING_END - 1, 300, WRITE, 0);
	ring_offer(p->rx, 1);
	o = pair_deliver(p, 1);
	assert_int_equal(o.refused, 1);
	assert_int_equal(p->burst.frame->reason, DROP_RX_DESCRIPTOR);
	ring_expect(p->rx, 0, 0);
	ring_expect(p->rx, 1, 0);
	/* Buffers so small that the frame takes more of them than it may. */
	for (i = 0; i < 100; i++)
		ring_room(p->rx, 2 + i, 12);
	o = pair_deliver(p, 1);
	assert_int_equal(o.refused, 1);
	assert_int_equal(p->burst.frame->reason, DROP_TOO_BIG);
	ring_expect_none(p->rx);
}

/* Chains that hold no frame go back; after many in a row the device is stopped. */
static void
test_useless(void **state)
{
	struct pair *p = *state;
	unsigned int i, k, round;

	for (k = 0; k < 2; k++) { /* the first time with a good one now and then */
		for (round = 0; round < 8 && p->rx->vq.fault == FAULT_NONE; round++) {
			for (i = 0; i < 50; i++) {
				ring_desc(p->rx, i, RING_GPA, i % 2 ? 0 : HDR + 13, WRITE, 0);
				ring_offer(p->rx, i);
			}
			if (k == 0)
				ring_room(p->rx, 50, 200);
			for (i = 0; i < 51; i++)
				pair_send(p, i, 60);
			pair_fetch(p, BURST_MAX);
			pair_deliver(p, (UINT64_C(1) << 51) - 1);
			pair_retire(p, (UINT64_C(1) << 51) - 1);
			while (ring_used(p->rx, &(uint32_t){0}, &(uint32_t){0}))
				;
		}
		assert_int_equal(p->rx->vq.fault, k == 0 ? FAULT_NONE : FAULT_RX_USELESS);
	}
}

/* Chains that hold too little are looked at once, for any number of frames, until more chains come. */
static void
test_known(void **state)
{
	struct pair *p = *state;
	unsigned int i, k, n;
	uint32_t once;

	p->rx->vq.mergeable = true;
	for (k = 0; k < 2; k++) { /* fewer chains than the frame needs; more than it may take */
		n = k == 0 ? 40 : 100;
		for (i = 0; i < n; i++) {
			ring_desc(p->rx, 2 * i, RING_GPA + 5000, HDR, WRITE | NEXT, 2 * i + 1);
			ring_desc(p->rx, 2 * i + 1, RING_GPA + 5000, 1, WRITE, 0);
			ring_offer(p->rx, 2 * i);
		}
		for (i = 0; i < BURST_MAX; i++)
			pair_send(p, i, 1500 - i);
		pair_fetch(p, BURST_MAX);
		pair_deliver(p, UINT64_MAX);
		once = p->burst.cost;
		assert_true(once > 40 * COST_DESC && once < 200 * COST_DESC);
		pair_deliver(p, UINT64_MAX);
		assert_true(p->burst.cost <= COST_DEST);
		/* One chain more may be all that a frame needs. */
		if (k == 0) {
			ring_room(p->rx, 2 * n, 2000);
			assert_true(pair_deliver(p, 1).taken == 1);
		}
		pair_retire(p, UINT64_MAX);
	}
}

/* The header that was used for routing is the one that arrives, whatever the sender writes meanwhile. */
static void
test_private_header(void **state)
{
	struct pair *p = *state;
	uint64_t room[2] = {ring_room(p->rx, 0, 200), ring_bytes(p->rx, 200)};
	uint8_t *sent[2];
	unsigned int i;

	ring_desc(p->rx, 1, room[1], 15, WRITE | NEXT, 2); /* across the header */
	ring_desc(p->rx, 2, room[1] + 15, 185, WRITE, 0);
	ring_offer(p->rx, 1);
	for (i = 0; i < 2; i++)
		sent[i] = ring_send(p->tx, i, &p->to, &p->from, 60, 60);
	assert_int_equal(pair_fetch(p, BURST_MAX), 2);
	for (i = 0; i < 2; i++)
		memset(sent[i], 0xff, sizeof(struct rte_ether_hdr));
	assert_int_equal(pair_deliver(p, 3).taken, 3);
	for (i = 0; i < 2; i++)
		assert_received(p, room[i], 60, 60);
}

static void
test_signals(void **state)
{
	struct pair *p = *state;
	unsigned int i;

	ring_call(p->tx);
	ring_call(p->rx);
	for (i = 0; i < 10; i++) {
		pair_send(p, i, 60);
		ring_room(p->rx, i, 200);
	}
	pair_fetch(p, 10);
	assert_int_equal(pair_deliver(p, 0x3ff).taken, 0x3ff);
	assert_int_equal(ring_calls(p->rx), 1); /* once a burst */
	assert_int_equal(p->count.signals, 1);
	pair_retire(p, 0x3ff);
	assert_int_equal(ring_calls(p->tx), 1);
	pair_retire(p, 0);
	pair_deliver(p, 1); /* no room */
	assert_int_equal(ring_calls(p->tx) + ring_calls(p->rx), 0);
	assert_int_equal(p->count.signals, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_deliver),
			TEST(test_deliver_short_header),
			TEST(test_deliver_no_room),
			TEST(test_deliver_too_small),
			TEST(test_deliver_bad),
			TEST(test_deliver_fault),
			TEST(test_deliver_chain),
			TEST(test_deliver_mergeable),
			TEST(test_deliver_mergeable_bad),
			TEST(test_useless),
			TEST(test_known),
			TEST(test_private_header),
			TEST(test_signals),
	};

	unit_both();
	return cmocka_run_group_tests_name("rx", tests, NULL, NULL);
}
