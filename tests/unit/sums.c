/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Tests in each way to add up bytes: see sums.h. */
#define ALLOW_EXPERIMENTAL_API /* EAL's limit: see base/simd.c */

#include <stdio.h>

#include <rte_vect.h>

#include "base/simd.h"
#include "sums.h"

bool
sums_cpu_has(enum sum_way way)
{
	if (way == SUM_PLAIN)
		return true;
#if defined(SIMD_AVX2) && !defined(__SANITIZE_THREAD__)
	if (way == SUM_AVX2)
		return __builtin_cpu_supports("avx2");
	if (way == SUM_AVX512)
		return __builtin_cpu_supports("avx512bw");
#endif
	return false;
}

bool
sums_use(enum sum_way way)
{
	assert_int_equal(rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512), 0);
	assert_int_equal(sum_use(way), sums_cpu_has(way));
	return sums_cpu_has(way);
}

int
sums_run_each(const struct CMUnitTest *tests, size_t n)
{
	static const char *const name[] = {"plain C", "AVX2", "AVX-512"};
	int way, failed = 0;

	for (way = SUM_PLAIN; way < SUM_WAYS; way++)
		if (sums_cpu_has(way) && sums_use(way))
			failed += _cmocka_run_group_tests(name[way], tests, n, NULL, NULL);
	return failed;
}
