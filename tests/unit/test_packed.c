/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Packed rings: wraps, chains of every shape, what breaks a ring, returning in any order, signals. */
#include <rte_common.h>

#include "guest/in_order.h"
#include "guest/packed.h"
#include "guest/rx.h"
#include "ring.h"
#include "run/stats.h"

#define SIZE 7 /* no power of two, so that wraps end anywhere */

static struct fragment frags[CHAIN_MAX];
static struct chain chain;
static struct used_chain used;

static int
setup(void **state)
{
	*state = ring_create_packed(SIZE, 0);
	return 0;
}

static enum chain_status
walk(struct ring *r, uint16_t at, bool writable)
{
	chain = (struct chain){.frag = frags, .max = CHAIN_MAX};
	return packed_walk(&r->vq, at, writable, &chain, &used);
}

static bool
is_available(const struct ring *r)
{
	const struct virtqueue *vq = &r->vq;

	return packed_is_available(vq, vq->last_avail, vq->avail_wrap);
}

/* The device takes the chain at its position, and returns it. */
static void
take_and_put(struct ring *r, bool writable, uint32_t len)
{
	struct virtqueue *vq = &r->vq;

	assert_true(is_available(r));
	assert_int_equal(walk(r, vq->last_avail, writable), CHAIN_OK);
	packed_advance(vq, &vq->last_avail, &vq->avail_wrap, used.ndesc);
	packed_put(vq, used, len);
	packed_publish(vq, 0);
}

static void
test_wraps(void **state)
{
	struct ring *r = *state;
	struct vr_packed_desc d[3];
	uint64_t random = 1;
	uint16_t n, i, k;

	for (i = 0; i < 1000; i++) {
		assert_false(is_available(r));
		n = 1 + unit_random(&random) % 3;
		for (k = 0; k < n; k++)
			d[k] = (struct vr_packed_desc){.addr = RING_GPA + 64 * k, .len = 10 + k};
		ring_chain(r, 100 + i, d, n);
		take_and_put(r, false, 0);
		assert_int_equal(used.ndesc, n);
		assert_int_equal(chain.n, n);
		assert_int_equal(chain.len, n * 10 + n * (n - 1) / 2);
		ring_expect(r, 100 + i, 0);
		ring_expect_none(r);
	}
}

/* A ring full of chains, returned in the reverse order: the driver finds them all. */
static void
test_any_order(void **state)
{
	struct ring *r = *state;
	struct virtqueue *vq = &r->vq;
	const struct vr_packed_desc one = {.addr = RING_GPA, .len = 10, .flags = WRITE};
	const struct vr_packed_desc two[] = {one, one};
	struct used_chain u[SIZE];
	unsigned int round, i;
	uint16_t from;

	for (round = 0; round < 50; round++) {
		ring_chain(r, 1, &one, 1);
		ring_chain(r, 2, two, 2);
		ring_chain(r, 3, &one, 1);
		ring_chain(r, 4, two, 2);
		ring_chain(r, 5, &one, 1);
		for (i = 0; i < 5; i++) {
			assert_true(is_available(r));
			assert_int_equal(walk(r, vq->last_avail, true), CHAIN_OK);
			u[i] = used;
			packed_advance(vq, &vq->last_avail, &vq->avail_wrap, used.ndesc);
		}
		assert_false(is_available(r));
		from = vq->last_used;
		for (i = 5; i > 0; i--)
			packed_put(vq, u[i - 1], i);
		/* The guest sees nothing before it can see all. */
		ring_expect_none(r);
		packed_publish(vq, from);
		for (i = 5; i > 0; i--)
			ring_expect(r, i, i);
		ring_expect_none(r);
	}
}

static void
test_indirect(void **state)
{
	struct ring *r = *state;
	uint64_t table = ring_bytes(r, 64) + 1; /* at any address */
	struct vr_packed_desc entry[2] = {
			{.addr = RING_GPA + 1000,
					.len = 12,
					.flags = WRITE | NEXT}, /* NEXT has no meaning there */
			{.addr = RING_SEAM - 50, .len = 100, .flags = WRITE},
	};
	struct vr_packed_desc d = {.addr = table, .len = sizeof(entry), .flags = INDIRECT};

	memcpy(ring_at(r, table, sizeof(entry)), entry, sizeof(entry));
	ring_chain(r, 9, &d, 1);
	take_and_put(r, true, 112);
	assert_int_equal(chain.n, 3); /* the second crosses from region to region */
	assert_int_equal(chain.len, 112);
	ring_expect(r, 9, 112);
	/* To transmit, WRITE does not matter in a table; to receive, it must be there. */
	ring_chain(r, 10, &d, 1);
	take_and_put(r, false, 0);
	ring_expect(r, 10, 0);
	entry[1].flags = 0;
	memcpy(ring_at(r, table, sizeof(entry)), entry, sizeof(entry));
	ring_chain(r, 11, &d, 1);
	assert_int_equal(walk(r, r->vq.last_avail, true), CHAIN_BAD);
	assert_int_equal(used.id, 11);
}

/* Bad buffers: the whole chain is passed over, and can be given back. */
static void
test_bad(void **state)
{
	static const struct vr_packed_desc bad[] = {
			{.addr = RING_GPA, .len = 10, .flags = WRITE}, /* wrong direction */
			{.addr = RING_GPA - 1, .len = 10},
			{.addr = RING_END - 5, .len = 10},
			{.addr = UINT64_MAX - 5, .len = 10},
			{.addr = 0, .len = UINT32_MAX},
	};
	const struct vr_packed_desc good = {.addr = RING_GPA, .len = 10};
	struct ring *r = *state;
	struct vr_packed_desc d[3];
	unsigned int i, place;

	for (i = 0; i < RTE_DIM(bad); i++) {
		for (place = 0; place < 3; place++) {
			d[0] = d[1] = d[2] = good;
			d[place] = bad[i];
			ring_chain(r, 40 + i, d, 3);
			assert_int_equal(walk(r, r->vq.last_avail, false), CHAIN_BAD);
			assert_int_equal(used.id, 40 + i);
			assert_int_equal(used.ndesc, 3);
			assert_int_equal(r->vq.fault, FAULT_NONE);
			packed_advance(&r->vq, &r->vq.last_avail, &r->vq.avail_wrap, 3);
			packed_put(&r->vq, used, 0);
			packed_publish(&r->vq, 0);
			ring_expect(r, 40 + i, 0);
		}
	}
}

/* What breaks the ring. */
static void
test_faults(void **state)
{
	struct ring *r = *state;
	uint64_t table = ring_bytes(r, 64);
	const struct vr_packed_desc nested = {.addr = RING_GPA, .len = 16, .flags = INDIRECT};
	const struct {
		struct vr_packed_desc d;
		enum fault_reason fault;
	} cases[] = {
			{{.addr = table, .len = 0, .flags = INDIRECT}, FAULT_INDIRECT},
			{{.addr = table, .len = 17, .flags = INDIRECT}, FAULT_INDIRECT},
			{{.addr = table, .len = 16, .flags = INDIRECT},
					FAULT_INDIRECT}, /* nested */
			{{.addr = table, .len = 16, .flags = INDIRECT | NEXT}, FAULT_INDIRECT},
			{{.addr = table, .len = (CHAIN_MAX + 1) * 16, .flags = INDIRECT},
					FAULT_INDIRECT},
			{{.addr = UINT64_MAX - 15, .len = 32, .flags = INDIRECT}, FAULT_INDIRECT},
	};
	struct virtqueue *vq = &r->vq;
	unsigned int i;

	memcpy(ring_at(r, table, sizeof(nested)), &nested, sizeof(nested));
	for (i = 0; i < RTE_DIM(cases); i++) {
		vq->fault = FAULT_NONE;
		r->vr.packed[0] = cases[i].d;
		assert_int_equal(walk(r, 0, false), CHAIN_FAULT);
		assert_int_equal(vq->fault, cases[i].fault);
	}
	/* Not negotiated. */
	vq->fault = FAULT_NONE;
	vq->indirect = false;
	r->vr.packed[0] = (struct vr_packed_desc){.addr = table, .len = 16, .flags = INDIRECT};
	assert_int_equal(walk(r, 0, false), CHAIN_FAULT);
	/* A chain that never ends. */
	vq->fault = FAULT_NONE;
	for (i = 0; i < SIZE; i++)
		r->vr.packed[i] =
				(struct vr_packed_desc){.addr = RING_GPA, .len = 1, .flags = NEXT};
	assert_int_equal(walk(r, 3, false), CHAIN_FAULT);
	assert_int_equal(vq->fault, FAULT_LOOP);
}

static void
test_notify_by_flag(void **state)
{
	struct ring *r = *state;
	struct virtqueue *vq = &r->vq;

	assert_false(packed_publish(vq, 0)); /* it gave nothing to signal with */
	ring_call(r);
	assert_true(packed_publish(vq, 0));
	r->vr.driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	assert_false(packed_publish(vq, 0));
	/* DESC without EVENT_IDX, and what is reserved: rather one signal too many. */
	r->vr.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	assert_true(packed_publish(vq, 0));
	r->vr.driver_event->flags = 0xfffc;
	assert_true(packed_publish(vq, 0));
}

/* Every position and wrap to be woken at, against positions passed one by one. */
static void
test_notify_by_event(void **state)
{
	struct ring *r = *state;
	struct virtqueue *vq = &r->vq;
	unsigned int from, n, event, i;
	bool event_wrap, passed, at_wrap;
	uint16_t at;

	ring_call(r);
	vq->event_idx = true;
	r->vr.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	for (from = 0; from < SIZE; from++)
		for (n = 1; n <= SIZE; n++)
			for (event = 0; event < 2 * SIZE; event++) {
				event_wrap = event < SIZE;
				at = from;
				at_wrap = true;
				for (i = 0, passed = false; i < n; i++) {
					passed |= at == event % SIZE && at_wrap == event_wrap;
					packed_advance(vq, &at, &at_wrap, 1);
				}
				vq->last_used = at;
				vq->used_wrap = at_wrap;
				r->vr.driver_event->off_wrap = event % SIZE |
						event_wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
				if (packed_publish(vq, from) != passed)
					fail_msg("from %u on %u, event %u", from, n, event);
			}
	packed_suppress(vq);
	assert_int_equal(r->vr.device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))

/* A frame of `len` bytes, with its header, as one buffer. */
static void
offer_frame(struct ring *r, uint16_t id, uint32_t len)
{
	const struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);

	ring_send(r, id, &to, &from, len, len);
}

/* From ring to ring, by the same policy as with split rings: frames of one buffer and of several. */
static void
test_forward(void **state)
{
	struct ring *tx = *state, *rx = ring_create_packed(SIZE, SIZE - 1);
	struct source *s = &tx->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct port_count count = {0};
	struct vr_packed_desc room[2];
	uint64_t gpa = ring_bytes(rx, 4096);
	uint32_t len;
	unsigned int i;
	uint8_t want[2048];
	struct outcome o;

	rx->vq.mergeable = true;
	for (i = 0; i < 40; i++) {
		len = 60 + 37 * i;
		offer_frame(tx, i, len);
		offer_frame(tx, i + 100, 60);
		/* The first two chains take one of two buffers; the second gets what is left. */
		room[0] = (struct vr_packed_desc){.addr = gpa, .len = HDR, .flags = WRITE};
		room[1] = (struct vr_packed_desc){.addr = gpa + HDR, .len = 1024, .flags = WRITE};
		ring_chain(rx, 1, room, 2);
		room[0] = (struct vr_packed_desc){
				.addr = gpa + HDR + 1024, .len = 1200, .flags = WRITE};
		ring_chain(rx, 2, room, 1);
		assert_int_equal(s->ops->fetch(s, b, BURST_MAX), 2);
		o = rx_deliver(&rx->vq, b, 3, &count);
		/* The long ones take both chains, and the other frame finds none. */
		assert_int_equal(o.taken, len > 1024 ? 1 : 3);
		s->ops->retire(s, b->frame, 3, &count);
		ring_expect(tx, i, 0);
		ring_expect(tx, i + 100, 0);
		frame_make(want, &b->frame[0].eth.dst_addr, &b->frame[0].eth.src_addr, len, len);
		assert_memory_equal(ring_at(rx, gpa + HDR, len), want, RTE_MIN(len, 1024u));
		ring_expect(rx, 1, HDR + RTE_MIN(len, 1024u));
		ring_expect(rx, 2, len > 1024 ? len - 1024 : HDR + 60);
		ring_expect_none(rx);
		tx->free = RING_GPA;
	}
	ring_destroy(rx);
	free(b);
}

/* VIRTIO_F_IN_ORDER: a frame that is done first waits for those that were taken before it. */
static void
test_in_order(void **state)
{
	struct ring *r = *state;
	struct source *s = &r->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct port_count count = {0};
	unsigned int round;

	r->vq.in_order = in_order_create(SIZE);
	for (round = 0; round < 20; round++) {
		offer_frame(r, 1, 60);
		offer_frame(r, 2, 60);
		offer_frame(r, 3, 60);
		assert_int_equal(s->ops->fetch(s, b, BURST_MAX), 3);
		s->ops->retire(s, b->frame, 1 << 1, &count);
		ring_expect_none(r);
		s->ops->retire(s, b->frame, 1 << 0, &count);
		ring_expect(r, 1, 0);
		ring_expect(r, 2, 0);
		ring_expect_none(r);
		s->ops->retire(s, b->frame, 1 << 2, &count);
		ring_expect(r, 3, 0);
		r->free = RING_GPA;
	}
	free(b);
}

/* A driver that makes available what it has not got back: more than the ring holds is too much. */
static void
test_order_overrun(void **state)
{
	struct ring *r = *state;
	struct source *s = &r->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	unsigned int i, n = 0;

	r->vq.in_order = in_order_create(SIZE);
	for (i = 0; i < 3 * SIZE; i++) {
		offer_frame(r, 1, 60);
		n += s->ops->fetch(s, b, BURST_MAX);
	}
	assert_true(n >= SIZE && n <= 8);
	assert_int_equal(r->vq.fault, FAULT_AVAIL_OVERRUN);
	free(b);
}

/*
 * The same without that order: a burst that was taken with several wraps is given back at once, and
 * ends where it began. The guest is signalled all the same.
 */
static void
test_whole_wraps(void **state)
{
	struct ring *r = *state;
	struct source *s = &r->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct frame frame[2 * SIZE];
	struct port_count count = {0};
	unsigned int i;

	for (i = 0; i < RTE_DIM(frame); i++) {
		offer_frame(r, 100 + i, 60);
		assert_int_equal(s->ops->fetch(s, b, BURST_MAX), 1);
		frame[i] = b->frame[0];
	}
	s->ops->retire(s, frame, (UINT64_C(1) << RTE_DIM(frame)) - 1, &count);
	assert_false(r->vq.hidden);
	ring_expect(r, 100, 0);
	free(b);
}

/* A word with some bits that mean something, and some that do not. */
static uint64_t
nonsense(uint64_t *random, uint64_t usual)
{
	switch (unit_random(random) % 4) {
	case 0:
		return usual;
	case 1:
		return usual + unit_random(random) % 64;
	case 2:
		return (uint64_t)unit_random(random) << 32 | unit_random(random);
	}
	return usual ^ UINT64_C(1) << unit_random(random) % 64;
}

/*
 * Descriptors that no driver would write, in rings that go on as if they were sound. Only guest
 * memory is read and written (the sanitizer looks), and nothing loops for ever.
 */
static void
test_nonsense(void **state)
{
	struct ring *tx = *state, *rx = ring_create_packed(SIZE, 0);
	struct source *s = &tx->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct ring *both[] = {tx, rx};
	struct port_count count = {0};
	struct vr_packed_desc *d;
	unsigned int round, i, n, faults = 0;
	uint64_t random = 7, all;

	tx->vq.in_order = in_order_create(SIZE);
	rx->vq.mergeable = true;
	for (round = 0; round < 100000; round++) {
		for (i = 0; i < 2 * SIZE; i++) {
			d = &both[i % 2]->vr.packed[i / 2];
			d->addr = nonsense(&random, RING_SEAM - 100);
			d->len = nonsense(&random, HDR + 60);
			d->id = nonsense(&random, i);
			d->flags = nonsense(&random,
					(i % 2 ? WRITE : 0) | (random & 1 ? 1 << 7 : 1 << 15));
		}
		b->cost = 0; /* as for each visit */
		n = s->ops->fetch(s, b, BURST_MAX);
		all = n == 0 ? 0 : UINT64_MAX >> (BURST_MAX - n);
		for (i = 0; i < n; i++)
			if (b->frame[i].reason != DROP_NONE)
				all &= ~(UINT64_C(1) << i);
		rx_deliver(&rx->vq, b, all, &count);
		s->ops->retire(s, b->frame, n == 0 ? 0 : UINT64_MAX >> (BURST_MAX - n), &count);
		for (i = 0; i < 2; i++) {
			assert_true(both[i]->vq.last_avail < SIZE && both[i]->vq.last_used < SIZE);
			faults += both[i]->vq.fault != FAULT_NONE;
			both[i]->vq.fault = FAULT_NONE;
		}
		if (tx->vq.in_order->head != tx->vq.in_order->tail)
			tx->vq.in_order->head = tx->vq.in_order->tail;
	}
	/* Both were met: frames that are sound, and rings that are not. */
	assert_true(count.sent > 1000);
	assert_true(faults > 1000);
	ring_destroy(rx);
	free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, ring_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_wraps),
			TEST(test_any_order),
			TEST(test_indirect),
			TEST(test_bad),
			TEST(test_faults),
			TEST(test_notify_by_flag),
			TEST(test_notify_by_event),
			TEST(test_forward),
			TEST(test_in_order),
			TEST(test_order_overrun),
			TEST(test_whole_wraps),
			TEST(test_nonsense),
	};

	unit_both();
	return cmocka_run_group_tests_name("packed", tests, unit_eal, unit_eal_end);
}
