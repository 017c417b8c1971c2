/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Leases of a receive ring, step by step: what the guest sees of them and when, and which frames have to
 * wait for their end. test_threads.c has several threads take them at random.
 */
#include "base/atomic.h"
#include "guest/lease.h"
#include "guest/rx.h"
#include "pair.h"
#include "run/stats.h"

#define ENTRIES 16
#define BUFFER 1600u /* long enough to be leased */
#define LONG 1500u   /* bytes of a frame */
#define LEN 100u     /* of what a lease writes */

/* The ring begins three entries before its end, so leases go round it. */
static struct ring *
ring_of(bool packed)
{
	struct ring *r = packed ? ring_create_packed(ENTRIES, ENTRIES - 3)
				: ring_create(ENTRIES, UINT16_MAX - 2);
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		ring_room(r, i, BUFFER);
	return r;
}

/* What rx_deliver() does before it copies. Chains were offered in the order of their ids. */
static struct lease
begin(struct ring *r, unsigned int n)
{
	return r->vq.packed ? lease_begin(&r->vq, n, true) : lease_begin(&r->vq, n, false);
}

/* What it does after that, for the chains from id `first` on. Returns true if the guest is to be signalled. */
static bool
end(struct ring *r, struct lease l, uint16_t first, unsigned int n)
{
	struct fragment room[ENTRIES];
	uint16_t id[ENTRIES];
	unsigned int i;

	for (i = 0; i < n; i++) {
		id[i] = first + i;
		room[i].len = LEN + id[i];
	}
	if (r->vq.packed) {
		lease_put(&r->vq, &l, id, room, n, true);
		return lease_end(&r->vq, &l, true);
	}
	lease_put(&r->vq, &l, id, room, n, false);
	return lease_end(&r->vq, &l, false);
}

static void
expect_ids(struct ring *r, unsigned int first, unsigned int n)
{
	for (; n > 0; n--, first++)
		ring_expect(r, first, LEN + first);
	ring_expect_none(r);
}

/* The guest sees leases in the order in which they began, whichever ends first. */
static void
order(bool packed)
{
	struct ring *r = ring_of(packed);
	struct lease a = begin(r, 2), b = begin(r, 3), c = begin(r, 1), d = begin(r, 4);

	ring_call(r);
	assert_false(end(r, b, 2, 3));
	assert_false(end(r, d, 6, 4));
	ring_expect_none(r);
	assert_true(end(r, a, 0, 2));
	expect_ids(r, 0, 5);
	assert_true(r->vq.leases.n != 0);
	assert_true(end(r, c, 5, 1));
	expect_ids(r, 5, 5);
	assert_false(r->vq.leases.n != 0);
	ring_destroy(r);
}

static void
test_order(void **state)
{
	(void)state;
	order(false);
	order(true);
}

/* A guest that wants a signal for a certain entry gets it when that one is shown, and no other. */
static void
event(bool packed)
{
	struct ring *r = ring_of(packed);
	struct lease a = begin(r, 2), b = begin(r, 4), c = begin(r, 1);

	ring_call(r);
	r->vq.event_idx = true;
	if (packed) {
		r->vr.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
		r->vr.driver_event->off_wrap = 1; /* the fifth entry, with the other wrap */
	} else {
		r->vq.avail->ring[ENTRIES] = 1;
	}
	assert_false(end(r, b, 2, 4));
	assert_true(end(r, a, 0, 2));
	assert_false(end(r, c, 6, 1));
	expect_ids(r, 0, 7);
	ring_destroy(r);
}

static void
test_event(void **state)
{
	(void)state;
	event(false);
	event(true);
}

/* After a fault nothing more is shown, but leases end. */
static void
broken(bool packed)
{
	struct ring *r = ring_of(packed);
	struct lease a = begin(r, 1), b = begin(r, 1);

	ring_call(r);
	assert_false(end(r, b, 1, 1));
	vq_fault(&r->vq, FAULT_LOOP);
	assert_false(end(r, a, 0, 1));
	assert_false(r->vq.leases.n != 0);
	ring_expect_none(r);
	ring_destroy(r);
}

static void
test_broken(void **state)
{
	(void)state;
	broken(false);
	broken(true);
}

/* No more leases than there is room for; then frames wait for the end of one. */
static void
test_most(void **state)
{
	struct pair *p = *state;
	struct lease l[LEASES_MAX];
	unsigned int i;

	p->rx->vq.leases.contended = LEASE_BURSTS;
	for (i = 0; i < LEASES_MAX + 1; i++)
		ring_room(p->rx, i, BUFFER);
	pair_send(p, 0, 60);
	assert_int_equal(pair_fetch(p, 1), 1);
	for (i = 0; i < LEASES_MAX; i++) {
		assert_true(lease_possible(&p->rx->vq.leases));
		l[i] = begin(p->rx, 1);
		p->rx->vq.last_avail++;
	}
	assert_false(lease_possible(&p->rx->vq.leases));
	p->burst.put_off = false;
	assert_int_equal(pair_deliver(p, 1).taken, 0);
	assert_true(p->burst.put_off);
	for (i = 0; i < LEASES_MAX; i++)
		end(p->rx, l[i], i, 1);
	expect_ids(p->rx, 0, LEASES_MAX);
	assert_int_equal(pair_deliver(p, 1).taken, 1);
	ring_expect(p->rx, LEASES_MAX, HDR + 60);
}

/* Copies into a ring that another worker fills as well cost more than those into a ring of one's own. */
static void
test_cost_beside(void **state)
{
	const uint32_t copies = 2 * (COST_COPY + COST_BYTES(LONG));
	struct pair *p = *state;
	unsigned int i, k;

	for (k = 0; k < 2; k++) {
		p->rx->vq.leases.contended = k == 0 ? 0 : LEASE_BURSTS;
		for (i = 0; i < 2; i++) {
			ring_room(p->rx, 2 * k + i, BUFFER);
			pair_send(p, 2 * k + i, LONG);
		}
		assert_int_equal(pair_fetch(p, 2), 2);
		assert_int_equal(pair_deliver(p, 3).taken, 3);
		assert_in_range(p->burst.cost, COST_DEST + copies * (2 + k) / 2 - 1,
				COST_DEST + copies * (2 + k) / 2);
		pair_retire(p, 3);
	}
}

/* Two single chains, one of two descriptors, and a frame for each. */
static void
offer_odd(struct pair *p)
{
	uint64_t gpa;
	unsigned int i;

	p->rx->vq.leases.contended = LEASE_BURSTS;
	p->burst.put_off = false;
	ring_room(p->rx, 0, BUFFER);
	ring_room(p->rx, 1, BUFFER);
	gpa = ring_bytes(p->rx, BUFFER);
	ring_desc(p->rx, 2, gpa, 40, WRITE | NEXT, 3);
	ring_desc(p->rx, 3, gpa + 40, BUFFER - 40, WRITE, 0);
	ring_offer(p->rx, 2);
	for (i = 0; i < 3; i++)
		pair_send(p, i, 60 + i);
	assert_int_equal(pair_fetch(p, 3), 3);
}

/* A frame that can't be leased is delivered with those before it if nobody else is at the ring. */
static void
test_odd_alone(void **state)
{
	struct pair *p = *state;
	unsigned int i;

	offer_odd(p);
	assert_int_equal(pair_deliver(p, 7).taken, 7);
	assert_false(p->burst.put_off);
	assert_int_equal(p->rx->vq.leases.contended, LEASE_BURSTS - 1);
	for (i = 0; i < 3; i++)
		ring_expect(p->rx, i, HDR + 60 + i);
	ring_expect_none(p->rx);
}

/* Beside a lease it waits, and none begins until it had its turn. */
static void
test_odd_beside(void **state)
{
	struct pair *p = *state;
	struct lease l;

	offer_odd(p);
	p->rx->vq.last_avail++;
	l = begin(p->rx, 1);
	assert_int_equal(pair_deliver(p, 6).taken, 2);
	assert_true(p->burst.put_off);
	assert_false(lease_possible(&p->rx->vq.leases));
	p->burst.put_off = false;
	assert_int_equal(pair_deliver(p, 4).taken, 0);
	assert_true(p->burst.put_off);
	ring_expect_none(p->rx);
	end(p->rx, l, 0, 1);
	ring_expect(p->rx, 0, LEN);
	ring_expect(p->rx, 1, HDR + 61);
	assert_int_equal(pair_deliver(p, 4).taken, 4);
	ring_expect(p->rx, 2, HDR + 62);
	ring_expect_none(p->rx);
}

/* Two buffers, of which another worker has leased the first; and two frames, of 60 and 61 bytes. */
static struct lease
one_is_leased(struct pair *p)
{
	p->rx->vq.leases.contended = LEASE_BURSTS;
	p->burst.put_off = false;
	ring_room(p->rx, 0, BUFFER);
	ring_room(p->rx, 1, BUFFER);
	pair_send(p, 0, 60);
	pair_send(p, 1, 61);
	assert_int_equal(pair_fetch(p, 2), 2);
	p->rx->vq.last_avail++;
	return begin(p->rx, 1);
}

/* A buffer that does not take its frame ends what is leased. */
static void
test_small(void **state)
{
	struct pair *p = *state;
	struct lease l = one_is_leased(p);

	p->rx->vq.mergeable = true;
	ring_room(p->rx, 2, 50);
	ring_room(p->rx, 3, BUFFER);
	assert_int_equal(pair_deliver(p, 3).taken, 1);
	assert_true(p->burst.put_off);
	end(p->rx, l, 0, 1);
	ring_expect(p->rx, 0, LEN);
	ring_expect(p->rx, 1, HDR + 60);
	assert_int_equal(pair_deliver(p, 2).taken, 2);
	ring_expect(p->rx, 2, 50);
	ring_expect(p->rx, 3, HDR + 61 - 50);
	ring_expect_none(p->rx);
}

/* A full ring is full, whoever fills it: its frames are not put off. */
static void
test_full(void **state)
{
	struct pair *p = *state;
	struct lease l = one_is_leased(p);

	assert_int_equal(pair_deliver(p, 3).taken, 1);
	assert_false(p->burst.put_off);
	assert_int_equal(p->rx->vq.leases.contended, LEASE_BURSTS); /* others are here */
	end(p->rx, l, 0, 1);
	ring_expect(p->rx, 0, LEN);
	ring_expect(p->rx, 1, HDR + 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_order),
			cmocka_unit_test(test_event),
			cmocka_unit_test(test_broken),
			cmocka_unit_test_setup_teardown(test_most, pair_setup, pair_teardown),
			cmocka_unit_test_setup_teardown(
					test_cost_beside, pair_setup, pair_teardown),
			cmocka_unit_test_setup_teardown(test_odd_alone, pair_setup, pair_teardown),
			cmocka_unit_test_setup_teardown(test_odd_beside, pair_setup, pair_teardown),
			cmocka_unit_test_setup_teardown(test_small, pair_setup, pair_teardown),
			cmocka_unit_test_setup_teardown(test_full, pair_setup, pair_teardown),
	};

	unit_both();
	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
