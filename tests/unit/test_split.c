/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Split rings: each shape of a chain, legal and not; indices that wrap; notifications. */
#include <rte_common.h>

#include "guest/split.h"
#include "ring.h"

#define SIZE 64

static struct fragment frag[CHAIN_MAX];
static struct chain chain;

static int
setup(void **state)
{
	*state = ring_create(SIZE, 0);
	return 0;
}

static enum chain_status
walk(struct ring *r, uint16_t head, bool writable)
{
	chain = (struct chain){.frag = frag, .max = CHAIN_MAX};
	return split_walk(&r->vq, head, writable, &chain);
}

/* The chain of descriptor 0 must be sound, and consist of these fragments. */
static void
assert_chain(struct ring *r, unsigned int n, uint64_t len)
{
	assert_int_equal(walk(r, 0, false), CHAIN_OK);
	assert_int_equal(r->vq.fault, FAULT_NONE);
	assert_int_equal(chain.n, n);
	assert_int_equal(chain.len, len);
}

static void
assert_frag(struct ring *r, unsigned int i, uint64_t gpa, uint32_t len)
{
	assert_ptr_equal(frag[i].base, ring_at(r, gpa, len));
	assert_int_equal(frag[i].len, len);
}

/* The chain of descriptor 0 can be given back, but not used. */
static void
assert_bad(struct ring *r, bool writable)
{
	assert_int_equal(walk(r, 0, writable), CHAIN_BAD);
	assert_int_equal(r->vq.fault, FAULT_NONE);
}

static void
assert_fault(struct ring *r, uint16_t head, enum fault_reason reason)
{
	assert_int_equal(walk(r, head, false), CHAIN_FAULT);
	assert_string_equal(fault_name(r->vq.fault), fault_name(reason));
	r->vq.fault = FAULT_NONE;
}

static void
test_single(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_GPA + 5, 100, 0, 0xffff); /* next means nothing */
	assert_chain(r, 1, 100);
	assert_frag(r, 0, RING_GPA + 5, 100);
	ring_desc(r, SIZE - 1, RING_GPA, 1, 0, 0);
	assert_int_equal(walk(r, SIZE - 1, false), CHAIN_OK);
	ring_desc(r, 0, RING_GPA, 0, 0, 0); /* an empty buffer is legal */
	assert_chain(r, 0, 0);
}

static void
test_chain(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_GPA, 12, NEXT, 40);
	ring_desc(r, 40, RING_GPA + 1000, 0, NEXT, 3);
	ring_desc(r, 3, RING_GPA + 50, 60, NEXT, 63);
	ring_desc(r, 63, RING_SEAM, 7, 0, 0);
	assert_chain(r, 3, 79);
	assert_frag(r, 0, RING_GPA, 12);
	assert_frag(r, 1, RING_GPA + 50, 60);
	assert_frag(r, 2, RING_SEAM, 7);
}

/* A chain may be as long as the ring; one more is a loop. */
static void
test_longest(void **state)
{
	struct ring *r = *state;
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		ring_desc(r, i, RING_GPA + i, 1, i == SIZE - 1 ? 0 : NEXT, i + 1);
	assert_chain(r, SIZE, SIZE);
	ring_desc(r, SIZE - 1, RING_GPA, 1, NEXT, 0);
	assert_fault(r, 0, FAULT_LOOP);
	ring_desc(r, 0, RING_GPA, 1, NEXT, 0);
	assert_fault(r, 0, FAULT_LOOP);
	ring_desc(r, 0, RING_GPA, 0, NEXT, 0); /* of nothing at all */
	assert_fault(r, 0, FAULT_LOOP);
}

/* In a large ring: as long as any chain may be. */
static void
test_chain_max(void **state)
{
	struct ring *r = ring_create(4096, 0);
	unsigned int i;

	RTE_SET_USED(state);
	for (i = 0; i < CHAIN_MAX; i++)
		ring_desc(r, i, RING_GPA + i, 1, i == CHAIN_MAX - 1 ? 0 : NEXT, i + 1);
	assert_chain(r, CHAIN_MAX, CHAIN_MAX);
	ring_desc(r, CHAIN_MAX - 1, RING_GPA, 1, NEXT, CHAIN_MAX);
	ring_desc(r, CHAIN_MAX, RING_GPA, 0, 0, 0);
	assert_fault(r, 0, FAULT_LOOP);
	ring_destroy(r);
}

static void
test_head_past_ring(void **state)
{
	struct ring *r = *state;

	assert_fault(r, SIZE, FAULT_HEAD);
	assert_fault(r, 0xffff, FAULT_HEAD);
	ring_desc(r, 0, RING_GPA, 1, NEXT, SIZE);
	assert_fault(r, 0, FAULT_HEAD);
	ring_desc(r, 0, RING_GPA, 1, NEXT, 0xffff);
	assert_fault(r, 0, FAULT_HEAD);
}

static void
test_direction(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_GPA, 1, 0, 0);
	assert_bad(r, true);
	ring_desc(r, 0, RING_GPA, 1, WRITE, 0);
	assert_bad(r, false);
	assert_int_equal(walk(r, 0, true), CHAIN_OK);
	ring_desc(r, 0, RING_GPA, 1, NEXT, 1);
	ring_desc(r, 1, RING_GPA, 1, WRITE, 0);
	assert_bad(r, false);
	assert_bad(r, true);
}

static void
test_buffer_outside(void **state)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
	} wrong[] = {
			{0, 1},
			{RING_GPA - 1, 1},
			{RING_GPA - 1, 2},
			{RING_END, 1},
			{RING_END - 1, 2},
			{RING_GPA, UINT32_MAX},
			{UINT64_MAX, 1},
			{UINT64_MAX, 2},
			{UINT64_MAX - 10, UINT32_MAX},
			{RING_GPA, RING_END - RING_GPA + 1},
	};
	struct ring *r = *state;
	size_t i;

	for (i = 0; i < RTE_DIM(wrong); i++) {
		ring_desc(r, 0, wrong[i].gpa, wrong[i].len, 0, 0);
		assert_bad(r, false);
		ring_desc(r, 0, wrong[i].gpa, wrong[i].len, WRITE, 0);
		assert_bad(r, true);
		/* As the second of a chain, too. */
		ring_desc(r, 1, wrong[i].gpa, wrong[i].len, 0, 0);
		ring_desc(r, 0, RING_GPA, 1, NEXT, 1);
		assert_bad(r, false);
	}
}

static void
test_buffer_across_seam(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_SEAM - 10, 30, 0, 0);
	assert_chain(r, 2, 30);
	assert_frag(r, 0, RING_SEAM - 10, 10);
	assert_frag(r, 1, RING_SEAM, 20);
	ring_desc(r, 0, RING_GPA, RING_END - RING_GPA, 0, 0);
	assert_chain(r, 2, RING_END - RING_GPA);
}

/* No more fragments than there is room for, whatever they come from. */
static void
test_room_for_frags(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_GPA, 1, NEXT, 1);
	ring_desc(r, 1, RING_SEAM - 1, 2, 0, 0);
	chain = (struct chain){.frag = frag, .max = 3};
	assert_int_equal(split_walk(&r->vq, 0, false, &chain), CHAIN_OK);
	chain = (struct chain){.frag = frag, .max = 2};
	assert_int_equal(split_walk(&r->vq, 0, false, &chain), CHAIN_BAD);
	assert_int_equal(chain.n, 2);
}

static void
test_indirect(void **state)
{
	struct ring *r = *state;
	uint64_t table = RING_GPA + 0x1003; /* any address */

	ring_table(r, table, 0, RING_GPA, 12, NEXT, 2);
	ring_table(r, table, 1, RING_GPA + 100, 5, 0, 0);
	ring_table(r, table, 2, RING_GPA + 200, 60, NEXT, 1);
	ring_desc(r, 0, table, 3 * 16, INDIRECT, 0);
	assert_chain(r, 3, 77);
	assert_frag(r, 1, RING_GPA + 200, 60);
	assert_frag(r, 2, RING_GPA + 100, 5);
	/* Its own direction means nothing. */
	ring_desc(r, 0, table, 3 * 16, INDIRECT | WRITE, 0);
	assert_chain(r, 3, 77);
	/* At the end of a chain of ordinary ones. */
	ring_desc(r, 1, table, 3 * 16, INDIRECT, 0);
	ring_desc(r, 0, RING_SEAM, 9, NEXT, 1);
	assert_chain(r, 4, 86);
	/* Longer than the ring itself, up to the longest chain. */
	table = RING_GPA + 0x8000;
	for (unsigned int i = 0; i < CHAIN_MAX; i++)
		ring_table(r, table, i, RING_GPA, 1, i == CHAIN_MAX - 1 ? 0 : NEXT, i + 1);
	ring_desc(r, 0, table, CHAIN_MAX * 16, INDIRECT, 0);
	assert_chain(r, CHAIN_MAX, CHAIN_MAX);
}

static void
test_indirect_malformed(void **state)
{
	static const uint32_t odd[] = {
			0, 1, 15, 17, 31, (CHAIN_MAX + 1) * 16, UINT32_MAX, 0xfffffff0};
	struct ring *r = *state;
	uint64_t table = RING_GPA + 0x1000;
	size_t i;

	ring_table(r, table, 0, RING_GPA, 1, 0, 0);
	for (i = 0; i < RTE_DIM(odd); i++) {
		ring_desc(r, 0, table, odd[i], INDIRECT, 0);
		assert_fault(r, 0, FAULT_INDIRECT);
	}
	ring_desc(r, 0, table, 16, INDIRECT | NEXT, 1); /* chained */
	assert_fault(r, 0, FAULT_INDIRECT);
	ring_desc(r, 0, UINT64_MAX - 8, 16, INDIRECT, 0); /* wraps around */
	assert_fault(r, 0, FAULT_INDIRECT);
	ring_desc(r, 0, table, 16, INDIRECT, 0);
	ring_table(r, table, 0, table, 16, INDIRECT, 0); /* nested */
	assert_fault(r, 0, FAULT_INDIRECT);
	ring_table(r, table, 0, RING_GPA, 1, NEXT, 1); /* past its end */
	assert_fault(r, 0, FAULT_INDIRECT);
	ring_table(r, table, 0, RING_GPA, 1, NEXT, 0xffff);
	assert_fault(r, 0, FAULT_INDIRECT);
	ring_table(r, table, 0, RING_GPA, 1, NEXT, 0); /* a loop */
	assert_fault(r, 0, FAULT_LOOP);
	ring_table(r, table, 0, RING_GPA, 1, 0, 0);
	assert_chain(r, 1, 1);
	r->vq.indirect = false; /* not negotiated */
	assert_fault(r, 0, FAULT_INDIRECT);
}

static void
test_indirect_outside(void **state)
{
	struct ring *r = *state;

	ring_desc(r, 0, RING_END, 16, INDIRECT, 0);
	assert_bad(r, false);
	ring_desc(r, 0, RING_END - 15, 16, INDIRECT, 0);
	assert_bad(r, false);
	/* Two descriptors, one in each region; then one that lies across the seam. */
	ring_desc(r, 0, RING_SEAM - 16, 32, INDIRECT, 0);
	ring_table(r, RING_SEAM - 16, 0, RING_GPA, 3, NEXT, 1);
	ring_table(r, RING_SEAM - 16, 1, RING_GPA, 4, 0, 0);
	assert_chain(r, 2, 7);
	ring_desc(r, 0, RING_SEAM - 8, 16, INDIRECT, 0);
	assert_bad(r, false);
}

static void
test_available(void **state)
{
	struct ring *r = *state;
	struct virtqueue *vq = &r->vq;
	unsigned int i, base;

	for (base = 0; base <= 0xffff; base += 0x1111) {
		vq->last_avail = base;
		for (i = 0; i <= SIZE; i++) {
			vq->avail->idx = base + i;
			assert_int_equal(split_available(vq), i);
		}
		assert_int_equal(vq->fault, FAULT_NONE);
		vq->avail->idx = base + SIZE + 1;
		assert_int_equal(split_available(vq), 0);
		assert_int_equal(vq->fault, FAULT_AVAIL_OVERRUN);
		/* Once stopped it stays so, whatever the guest writes. */
		vq->avail->idx = base + 1;
		assert_int_equal(split_available(vq), 0);
		vq->fault = FAULT_NONE;
		vq->avail->idx = base - 1; /* backwards */
		assert_int_equal(split_available(vq), 0);
		assert_int_equal(vq->fault, FAULT_AVAIL_OVERRUN);
		vq->fault = FAULT_NONE;
	}
}

static void
test_wrap(void **state)
{
	struct ring *r = ring_create(SIZE, 0xffff - 1);
	unsigned int i;

	RTE_SET_USED(state);
	for (i = 0; i < 5; i++)
		ring_offer(r, i + 10);
	assert_int_equal(split_available(&r->vq), 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(split_head(&r->vq, r->vq.last_avail + i), i + 10);
		split_put(&r->vq, i + 10, 100 + i);
	}
	ring_expect_none(r); /* nothing is seen before it is published */
	split_publish(&r->vq, 0xffff - 1);
	assert_int_equal(r->vq.used->idx, 3);
	for (i = 0; i < 5; i++)
		ring_expect(r, i + 10, 100 + i);
	ring_destroy(r);
}

static void
test_notify_by_flag(void **state)
{
	struct ring *r = *state;

	split_put(&r->vq, 0, 0);
	assert_false(split_publish(&r->vq, 0)); /* it gave nothing to signal with */
	ring_call(r);
	assert_true(split_publish(&r->vq, 0));
	r->vq.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(split_publish(&r->vq, 0));
	r->vq.avail->flags = (uint16_t)~VRING_AVAIL_F_NO_INTERRUPT; /* reserved bits */
	assert_true(split_publish(&r->vq, 0));
	vq_signal(&r->vq);
	vq_signal(&r->vq);
	assert_int_equal(ring_calls(r), 2);
}

/* It is signalled if the index that the guest named is among those just written. */
static void
test_notify_by_event(void **state)
{
	struct ring *r = *state;
	uint16_t base, n, event;
	int ahead;

	ring_call(r);
	r->vq.event_idx = true;
	r->vq.avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* means nothing then */
	for (base = 0; base < 0xff00; base += 0x5555) {
		for (n = 1; n < 5; n++) {
			for (ahead = -3; ahead < 8; ahead++) {
				event = base + ahead;
				r->vq.avail->ring[SIZE] = event;
				r->vq.last_used = base + n;
				assert_int_equal(split_publish(&r->vq, base),
						ahead >= 0 && ahead < n);
			}
		}
	}
	/* Across the wrap. */
	r->vq.last_used = 2;
	r->vq.avail->ring[SIZE] = 0xffff;
	assert_true(split_publish(&r->vq, 0xfffe));
	r->vq.avail->ring[SIZE] = 2;
	assert_false(split_publish(&r->vq, 0xfffe));
	r->vq.avail->ring[SIZE] = 0xfffd;
	assert_false(split_publish(&r->vq, 0xfffe));
}

static void
test_suppress(void **state)
{
	struct ring *r = *state;
	uint16_t *avail_event = (void *)&r->vq.used->ring[SIZE];
	uint16_t i;

	split_suppress(&r->vq);
	assert_int_equal(r->vq.used->flags, VRING_USED_F_NO_NOTIFY);
	r->vq.event_idx = true;
	r->vq.last_avail = 0;
	split_suppress(&r->vq);
	/* What the driver asks itself when it has made entries available. */
	for (i = 1; i <= SIZE; i++)
		assert_false(vring_need_event(*avail_event, i, 0));
}

/* The fast path must never take what the slow path would not take, or find it elsewhere. */
static void
test_single_against_walk(void **state)
{
	static const uint64_t at[] = {
			RING_GPA,
			RING_SEAM,
			RING_END,
			0,
			UINT64_MAX,
			RING_GPA + 0x1000,
	};
	static const uint32_t lens[] = {
			0, 1, 16, 32, 60, 1500, RING_BYTES, RING_END - RING_GPA, UINT32_MAX};
	struct ring *r = *state;
	unsigned int round, taken = 0, left = 0;
	uint64_t random = 7;
	uint16_t head, flags;
	struct fragment one;
	uint32_t least;

	for (round = 0; round < 200000; round++) {
		head = unit_random(&random) % (SIZE + 2);
		flags = unit_random(&random) % 4 ? unit_random(&random) & WRITE
						 : unit_random(&random);
		if (head < SIZE)
			ring_desc(r, head,
					at[unit_random(&random) % RTE_DIM(at)] +
							unit_random(&random) % 5 - 2,
					lens[unit_random(&random) % RTE_DIM(lens)], flags,
					unit_random(&random));
		flags = unit_random(&random) & WRITE;
		least = 1 + unit_random(&random) % 64;
		one = split_single(&r->vq, head, flags, least);
		assert_int_equal(r->vq.fault, FAULT_NONE);
		if (one.base == NULL) {
			left++;
			continue;
		}
		taken++;
		assert_true(one.len >= least);
		assert_int_equal(walk(r, head, flags == WRITE), CHAIN_OK);
		assert_int_equal(chain.n, 1);
		assert_ptr_equal(frag[0].base, one.base);
		assert_int_equal(frag[0].len, one.len);
		assert_int_equal(chain.len, one.len);
	}
	/* Both happened, often. */
	assert_true(taken > 1000 && left > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, ring_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_single),
			TEST(test_chain),
			TEST(test_longest),
			cmocka_unit_test(test_chain_max),
			TEST(test_head_past_ring),
			TEST(test_direction),
			TEST(test_buffer_outside),
			TEST(test_buffer_across_seam),
			TEST(test_room_for_frags),
			TEST(test_indirect),
			TEST(test_indirect_malformed),
			TEST(test_indirect_outside),
			TEST(test_available),
			cmocka_unit_test(test_wrap),
			TEST(test_notify_by_flag),
			TEST(test_notify_by_event),
			TEST(test_suppress),
			TEST(test_single_against_walk),
	};

	unit_both();
	return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
