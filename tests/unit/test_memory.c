/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guest memory: which addresses become pointers, and that no others do. */
#include <rte_common.h>
#include <rte_vhost.h>

#include "guest/memory.h"
#include "unit.h"

#define GPA 0x40000u
#define SIZE 0x1000u

/* Pointers are only compared here, never followed. */
static uint8_t *const first = (uint8_t *)0x10000000;
static uint8_t *const second = (uint8_t *)0x20000000;
static uint8_t *const far = (uint8_t *)0x30000000;

/* Two regions that touch (their host memory does not), a hole, and one more. */
static const struct guest_mem three = {
		.n = 3,
		.region =
				{
						{GPA, SIZE, first},
						{GPA + SIZE, SIZE, second},
						{GPA + 4 * SIZE, 1, far},
				},
};

static void
test_at_edges(void **state)
{
	RTE_SET_USED(state);
	assert_ptr_equal(guest_mem_at(&three, GPA, 1), first);
	assert_ptr_equal(guest_mem_at(&three, GPA, SIZE), first);
	assert_null(guest_mem_at(&three, GPA, SIZE + 1));
	assert_null(guest_mem_at(&three, GPA - 1, 1));
	assert_null(guest_mem_at(&three, GPA - 1, 2));
	assert_ptr_equal(guest_mem_at(&three, GPA + SIZE - 1, 1), first + SIZE - 1);
	/* Regions that touch are still two. */
	assert_null(guest_mem_at(&three, GPA + SIZE - 1, 2));
	assert_ptr_equal(guest_mem_at(&three, GPA + SIZE, SIZE), second);
	assert_ptr_equal(guest_mem_at(&three, GPA + 2 * SIZE - 1, 1), second + SIZE - 1);
	assert_null(guest_mem_at(&three, GPA + 2 * SIZE, 1));
	assert_ptr_equal(guest_mem_at(&three, GPA + 4 * SIZE, 1), far);
	assert_null(guest_mem_at(&three, GPA + 4 * SIZE, 2));
	assert_null(guest_mem_at(&three, GPA + 4 * SIZE + 1, 1));
}

static void
test_at_zero_length(void **state)
{
	RTE_SET_USED(state);
	assert_ptr_equal(guest_mem_at(&three, GPA, 0), first);
	assert_ptr_equal(guest_mem_at(&three, GPA + SIZE - 1, 0), first + SIZE - 1);
	assert_null(guest_mem_at(&three, GPA + 2 * SIZE, 0));
	assert_null(guest_mem_at(&three, GPA - 1, 0));
	assert_null(guest_mem_at(&three, 0, 0));
}

static void
test_at_overflow(void **state)
{
	const struct guest_mem top = {
			.n = 1,
			.region = {{UINT64_MAX - SIZE, SIZE, first}},
	};

	RTE_SET_USED(state);
	assert_null(guest_mem_at(&three, GPA, UINT64_MAX));
	assert_null(guest_mem_at(&three, GPA + 1, UINT64_MAX));
	assert_null(guest_mem_at(&three, GPA + 1, UINT64_MAX - GPA));
	assert_null(guest_mem_at(&three, UINT64_MAX, 1));
	assert_null(guest_mem_at(&three, UINT64_MAX, GPA + 2));
	assert_null(guest_mem_at(&three, UINT64_MAX - 1, UINT64_MAX));
	/* A region at the very top: its last byte is the address before the last. */
	assert_ptr_equal(guest_mem_at(&top, UINT64_MAX - 1, 1), first + SIZE - 1);
	assert_null(guest_mem_at(&top, UINT64_MAX - 1, 2));
	assert_null(guest_mem_at(&top, UINT64_MAX, 1));
	assert_null(guest_mem_at(&top, 0, 1));
}

static void
test_part(void **state)
{
	static const struct {
		uint64_t gpa;
		uint32_t ask, got;
	} cases[] = {
			{GPA, 1, 1},
			{GPA, SIZE, SIZE},
			{GPA, SIZE + 1, SIZE},
			{GPA, UINT32_MAX, SIZE},
			{GPA + SIZE - 1, 2, 1},
			{GPA + SIZE, 2 * SIZE, SIZE},
			{GPA + 4 * SIZE, UINT32_MAX, 1},
			{GPA - 1, 5, 0},
			{GPA + 2 * SIZE, 1, 0},
			{UINT64_MAX, UINT32_MAX, 0},
	};
	uint8_t *p, *want;
	uint32_t len;
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(cases); i++) {
		len = cases[i].ask;
		p = guest_mem_part(&three, cases[i].gpa, &len);
		if (cases[i].got == 0) {
			assert_null(p);
			continue;
		}
		want = guest_mem_at(&three, cases[i].gpa, cases[i].got);
		assert_non_null(want);
		assert_ptr_equal(p, want);
		assert_int_equal(len, cases[i].got);
	}
}

static void
test_holds(void **state)
{
	RTE_SET_USED(state);
	assert_true(guest_mem_holds(&three, first, SIZE));
	assert_true(guest_mem_holds(&three, first + SIZE - 1, 1));
	assert_true(guest_mem_holds(&three, second, SIZE));
	assert_true(guest_mem_holds(&three, far, 1));
	assert_false(guest_mem_holds(&three, first, SIZE + 1));
	assert_false(guest_mem_holds(&three, first - 1, 1));
	assert_false(guest_mem_holds(&three, first + SIZE, 1));
	assert_false(guest_mem_holds(&three, first + 1, UINT64_MAX));
	assert_false(guest_mem_holds(&three, far, 2));
	assert_false(guest_mem_holds(&three, NULL, 1));
	assert_false(guest_mem_holds(&three, (void *)UINTPTR_MAX, 1));
}

static void
test_empty_map(void **state)
{
	const struct guest_mem none = {.n = 0, .region = {{GPA, SIZE, first}}};
	uint32_t len = 1;

	RTE_SET_USED(state);
	assert_null(guest_mem_at(&none, GPA, 1));
	assert_null(guest_mem_part(&none, GPA, &len));
	assert_false(guest_mem_holds(&none, first, 1));
}

/* librte_vhost's table of as many regions as are given (up to size 0, at the end). */
static struct rte_vhost_memory *
table(const struct guest_region *r, unsigned int n)
{
	struct rte_vhost_memory *t = calloc(1, sizeof(*t) + n * sizeof(t->regions[0]));
	unsigned int i;

	assert_non_null(t);
	t->nregions = n;
	for (i = 0; i < n; i++) {
		t->regions[i].guest_phys_addr = r[i].gpa;
		t->regions[i].size = r[i].size;
		t->regions[i].host_user_addr = (uintptr_t)r[i].host;
	}
	return t;
}

static void
test_set_order(void **state)
{
	static const struct guest_region in[] = {
			{0x1000, 10, (uint8_t *)1},
			{0x2000, 30, (uint8_t *)2},
			{0x3000, 20, (uint8_t *)3},
			{0x4000, 30, (uint8_t *)4},
			{0x5000, 40, (uint8_t *)5},
	};
	static const unsigned int order[] = {4, 1, 3, 2, 0}; /* equal ones as they came */
	struct rte_vhost_memory *t = table(in, RTE_DIM(in));
	struct guest_mem m;
	size_t i;

	RTE_SET_USED(state);
	memset(&m, 0xa5, sizeof(m));
	guest_mem_set(&m, t);
	assert_int_equal(m.n, RTE_DIM(in));
	for (i = 0; i < RTE_DIM(in); i++) {
		assert_int_equal(m.region[i].gpa, in[order[i]].gpa);
		assert_int_equal(m.region[i].size, in[order[i]].size);
		assert_ptr_equal(m.region[i].host, in[order[i]].host);
	}
	free(t);
}

static void
test_set_left_out(void **state)
{
	static const struct guest_region in[] = {
			{0x1000, 0, (uint8_t *)1},           /* empty */
			{UINT64_MAX - 9, 11, (uint8_t *)2},  /* wraps around */
			{0x2000, UINT64_MAX, (uint8_t *)3},  /* so does this */
			{UINT64_MAX - 10, 10, (uint8_t *)4}, /* reaches the top, and no further */
			{0x3000, 5, (uint8_t *)5},
	};
	struct rte_vhost_memory *t = table(in, RTE_DIM(in));
	struct guest_mem m;

	RTE_SET_USED(state);
	guest_mem_set(&m, t);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.region[0].gpa, UINT64_MAX - 10);
	assert_int_equal(m.region[1].gpa, 0x3000);
	assert_null(guest_mem_at(&m, 0x1000, 0));
	assert_null(guest_mem_at(&m, 0x2000, 1));
	t->nregions = 0;
	guest_mem_set(&m, t);
	assert_int_equal(m.n, 0);
	free(t);
}

static void
test_set_too_many(void **state)
{
	struct guest_region in[GUEST_REGIONS + 2];
	struct rte_vhost_memory *t;
	struct guest_mem m;
	unsigned int i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(in); i++)
		in[i] = (struct guest_region){0x1000 * (i + 1), 0x100 + i, first};
	t = table(in, RTE_DIM(in));
	guest_mem_set(&m, t);
	assert_int_equal(m.n, GUEST_REGIONS);
	/* The first ones of the table; the largest of those first. */
	for (i = 0; i < GUEST_REGIONS; i++)
		assert_int_equal(m.region[i].gpa, 0x1000 * (GUEST_REGIONS - i));
	assert_null(guest_mem_at(&m, 0x1000 * (GUEST_REGIONS + 1), 1));
	/* An empty one takes nobody's place. */
	t->regions[0].size = 0;
	guest_mem_set(&m, t);
	assert_int_equal(m.n, GUEST_REGIONS);
	assert_non_null(guest_mem_at(&m, 0x1000 * (GUEST_REGIONS + 1), 1));
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_at_edges),
			cmocka_unit_test(test_at_zero_length),
			cmocka_unit_test(test_at_overflow),
			cmocka_unit_test(test_part),
			cmocka_unit_test(test_holds),
			cmocka_unit_test(test_empty_map),
			cmocka_unit_test(test_set_order),
			cmocka_unit_test(test_set_left_out),
			cmocka_unit_test(test_set_too_many),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
