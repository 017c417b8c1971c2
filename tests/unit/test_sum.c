/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Adding up bytes, in each way that this CPU has, compared with a loop over single bytes. Bytes end
 * where memory ends: reading or writing one more is fatal.
 */
#define ALLOW_EXPERIMENTAL_API /* EAL's limit: see base/simd.c */

#include <sys/mman.h>

#include <rte_vect.h>

#include "sums.h"

#define PAGE 4096u
#define ROOM (2 * PAGE) /* of bytes that end at a page that can't be used */
#define MARK 0x5a

struct edges {
	uint8_t *from, *to; /* ROOM bytes each */
	uint64_t random;
};

static uint8_t *
map_edge(void)
{
	uint8_t *p = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + ROOM, PAGE, PROT_NONE), 0);
	return p;
}

static int
setup(void **state)
{
	struct edges *r = unit_zalloc(sizeof(*r));

	r->from = map_edge();
	r->to = map_edge();
	r->random = 1;
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct edges *r = *state;

	munmap(r->from, ROOM + PAGE);
	munmap(r->to, ROOM + PAGE);
	free(r);
	return 0;
}

/* RFC 1071 as it is written down: 16-bit numbers, high byte first, the carry added at the end. */
static uint16_t
reference(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return rte_cpu_to_be_16(sum);
}

static void
fill(struct edges *r, uint8_t *p, uint32_t len)
{
	uint32_t kind = unit_random(&r->random) % 8, i;

	if (kind < 2)
		memset(p, kind == 0 ? 0 : 0xff, len);
	for (i = 0; kind >= 2 && i < len; i++)
		p[i] = unit_random(&r->random);
}

/* Bytes at `from` to `to`: their sum, their copy, and nothing written beside it. */
static void
expect_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint16_t want = reference(from, len);

	memset(to - 1, MARK, len + 1);
	assert_int_equal(sum_bytes(from, len), want);
	assert_int_equal(sum_fold(sum_ops.bytes(from, len)), want);
	assert_int_equal(sum_copy(to, from, len), want);
	assert_memory_equal(to, from, len);
	assert_int_equal(to[-1], MARK);
	memset(to, MARK, len);
	assert_int_equal(sum_fold(sum_ops.copy(to, from, len)), want);
	assert_memory_equal(to, from, len);
	assert_int_equal(to[-1], MARK);
}

/* Every length, which ends where memory does. */
static void
test_lengths(void **state)
{
	struct edges *r = *state;
	uint8_t *from, *to;
	uint32_t len;

	for (len = 0; len <= 2000; len++) {
		from = r->from + ROOM - len;
		to = r->to + ROOM - len;
		fill(r, from, len);
		expect_copy(to, from, len);
	}
}

/* Both begin anywhere, so also at odd addresses; after the copy nothing changes. */
static void
test_alignments(void **state)
{
	struct edges *r = *state;
	unsigned int round;
	uint8_t *from, *to;
	uint32_t len;

	for (round = 0; round < 4000; round++) {
		from = r->from + unit_random(&r->random) % 128;
		to = r->to + 1 + unit_random(&r->random) % 128;
		len = unit_random(&r->random) % (round % 2 ? 300 : ROOM - 300);
		fill(r, from, len);
		to[len] = MARK;
		expect_copy(to, from, len);
		assert_int_equal(to[len], MARK);
	}
}

/* Every possible sum: that of all ones and that of no bytes differ. */
static void
test_each_sum(void **state)
{
	struct edges *r = *state;
	uint8_t *p = r->from + ROOM - 100;
	uint16_t rest;
	uint32_t sum;

	for (sum = 0; sum < 0x10000; sum++) {
		fill(r, p, 98);
		if (sum == 0)
			memset(p, 0, 98);
		rest = sum == 0 ? 0 : sum_add(sum, ~reference(p, 98));
		memcpy(p + 98, &rest, 2);
		assert_int_equal(reference(p, 100), sum);
		assert_int_equal(sum_bytes(p, 100), sum);
		assert_int_equal(sum_copy(r->to, p, 100), sum);
	}
}

/* Bytes in parts, some of which begin at odd offsets, as in a frame of several fragments. */
static void
test_parts(void **state)
{
	struct edges *r = *state;
	uint32_t len, at, n;
	unsigned int round;
	uint16_t sum, more;

	for (round = 0; round < 4000; round++) {
		len = unit_random(&r->random) % 3000;
		fill(r, r->from, len);
		for (at = sum = 0; at < len; at += n) {
			n = RTE_MIN(len - at, unit_random(&r->random) % (round % 3 ? 400 : 9));
			more = round % 2 ? sum_bytes(r->from + at, n)
					 : sum_copy(r->to, r->from + at, n);
			sum = sum_add(sum, sum_from_odd(more, at % 2));
		}
		assert_int_equal(sum, reference(r->from, len));
	}
}

/* The most, with the largest and the smallest numbers: no part of the sum is too small for it. */
static void
test_most(void **state)
{
	uint8_t *from = malloc(SUM_MAX), *to = malloc(SUM_MAX);
	unsigned int value;
	uint32_t len;

	RTE_SET_USED(state);
	assert_non_null(from);
	assert_non_null(to);
	for (value = 0; value < 256; value += 51)
		for (len = SUM_MAX - 130; len <= SUM_MAX; len++) {
			memset(from, value, len);
			assert_int_equal(sum_bytes(from, len), reference(from, len));
			assert_int_equal(sum_copy(to, from, len), reference(from, len));
		}
	free(from);
	free(to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* EAL's limit is kept: no vector is wider. Without one the widest is taken that the CPU has. */
static void
test_limit(void **state)
{
	const struct {
		uint16_t bits;
		enum sum_way widest;
	} limit[] = {{64, SUM_PLAIN}, {128, SUM_PLAIN}, {256, SUM_AVX2}, {512, SUM_AVX512}};
	unsigned int i, way, widest;
	struct sum_ops chosen;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(limit); i++) {
		assert_int_equal(rte_vect_set_max_simd_bitwidth(limit[i].bits), 0);
		for (way = widest = 0; way < SUM_WAYS; way++) {
			assert_int_equal(sum_use(way), sums_cpu_has(way) && way <= limit[i].widest);
			if (sums_cpu_has(way) && way <= limit[i].widest)
				widest = way;
		}
		sum_choose();
		chosen = sum_ops;
		assert_true(sum_use(widest));
		assert_memory_equal(&chosen, &sum_ops, sizeof(chosen));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_lengths),
			TEST(test_alignments),
			TEST(test_each_sum),
			TEST(test_parts),
			TEST(test_most),
	};
	const struct CMUnitTest choice[] = {cmocka_unit_test(test_limit)};

	return sums_run(tests) + cmocka_run_group_tests_name("choice", choice, NULL, NULL);
}
