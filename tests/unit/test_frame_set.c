/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Sets of frames: the empty set, the full set, and sets with and without their first and last bits. */
#include <rte_common.h>

#include "frame/frame_set.h"
#include "unit.h"

#define FIRST UINT64_C(1)
#define LAST (UINT64_C(1) << 63)

static void
test_of(void **state)
{
	unsigned int n;

	RTE_SET_USED(state);
	assert_true(frame_set_of(0) == 0);
	assert_true(frame_set_of(1) == FIRST);
	assert_true(frame_set_of(BURST_MAX - 1) == ~LAST);
	assert_true(frame_set_of(BURST_MAX) == UINT64_MAX);
	for (n = 0; n <= BURST_MAX; n++)
		assert_int_equal(frame_set_count(frame_set_of(n)), n);
	for (n = 0; n < BURST_MAX; n++) {
		assert_true((frame_set_of(n) | frame_set_one(n)) == frame_set_of(n + 1));
		assert_int_equal(frame_set_first(frame_set_one(n)), n);
	}
}

static void
test_head_and_tail(void **state)
{
	RTE_SET_USED(state);
	assert_true(frame_set_head(0) == 0);
	assert_true(frame_set_tail(0) == 0);
	assert_true(frame_set_head(LAST) == LAST);
	assert_true(frame_set_tail(LAST) == 0);
	assert_true(frame_set_head(LAST | 0x60) == 0x20);
	assert_true(frame_set_tail(LAST | 0x60) == (LAST | 0x40));
	assert_true(frame_set_head(UINT64_MAX) == FIRST);
	assert_true(frame_set_tail(UINT64_MAX) == ~FIRST);
}

static void
test_has_and_before(void **state)
{
	RTE_SET_USED(state);
	assert_true(frame_set_has(LAST, 63));
	assert_false(frame_set_has(LAST, 62));
	assert_false(frame_set_has(0, 0));
	assert_true(frame_set_before(UINT64_MAX, 0x60) == 0x1f);
	assert_true(frame_set_before(LAST | 0x11, LAST) == 0x11);
	assert_true(frame_set_before(LAST | 0x11, 0) == (LAST | 0x11));
	assert_true(frame_set_before(UINT64_MAX, FIRST) == 0);
}

/* Each frame once and in order, also when the loop ends early, or goes on early. */
static void
test_foreach(void **state)
{
	static const frame_set sets[] = {
			0,
			FIRST,
			LAST,
			FIRST | LAST,
			0x8000000100000006,
			0x5555555555555555,
			UINT64_MAX,
	};
	unsigned int i, k, n, next;
	frame_set seen;

	RTE_SET_USED(state);
	for (k = 0; k < RTE_DIM(sets); k++) {
		seen = n = next = 0;
		FRAME_SET_FOREACH(i, sets[k]) {
			assert_in_range(i, next, BURST_MAX - 1);
			next = i + 1;
			n++;
			if (i % 2 == 0)
				continue;
			seen |= frame_set_one(i);
		}
		assert_int_equal(n, frame_set_count(sets[k]));
		assert_true(seen == (sets[k] & 0xaaaaaaaaaaaaaaaa));
	}
	n = 0;
	FRAME_SET_FOREACH(i, UINT64_MAX) {
		n++;
		if (i == 40)
			break;
	}
	assert_int_equal(n, 41);
	assert_int_equal(i, 40);
}

/* What is done in the loop to the variable that the set came from changes nothing. */
static void
test_foreach_of_what_changes(void **state)
{
	frame_set s = 0xf0;
	unsigned int i, n = 0;

	RTE_SET_USED(state);
	FRAME_SET_FOREACH(i, s) {
		s &= ~(frame_set_one(i) | frame_set_one(i + 1));
		n++;
	}
	assert_int_equal(n, 4);
	assert_true(s == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_of),
			cmocka_unit_test(test_head_and_tail),
			cmocka_unit_test(test_has_and_before),
			cmocka_unit_test(test_foreach),
			cmocka_unit_test(test_foreach_of_what_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
