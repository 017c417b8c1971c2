/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Which vector instructions this process may use: see simd.h. */
/* In DPDK 22.11 rte_vect_get_max_simd_bitwidth() is not yet stable; in 24.11 it is the same function. */
#define ALLOW_EXPERIMENTAL_API

#include <rte_cpuflags.h>
#include <rte_vect.h>

#include "base/simd.h"

/*
 * ThreadSanitizer reports a vector load of a ring as a race with its driver, as no such load is atomic
 * in C. So its build uses the plain code.
 */
bool
simd_avx2(void)
{
#if defined(SIMD_AVX2) && !defined(__SANITIZE_THREAD__)
	return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 &&
			rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_256;
#else
	return false;
#endif
}

bool
simd_avx512(void)
{
#if defined(SIMD_AVX512) && !defined(__SANITIZE_THREAD__)
	return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) > 0 &&
			rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) > 0 &&
			rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_512;
#else
	return false;
#endif
}
