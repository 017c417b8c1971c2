/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which vector instructions this process may use. All code that is compiled for them has a twin in plain
 * C that does the same. The twin runs on other CPUs, and on what the vector code leaves over. Any thread; nothing
 * changes after the start.
 */
#ifndef SIMD_H
#define SIMD_H

#include <stdbool.h>

#include <rte_config.h>

/* Functions with these attributes may use AVX2, or AVX-512, whatever the compiler's options are. */
#ifdef RTE_ARCH_X86_64
#define SIMD_AVX2 __attribute__((target("avx2")))
#define SIMD_AVX512 __attribute__((target("avx512f,avx512bw")))
#endif

/*
 * Returns true if the CPU has AVX2, and EAL allows vectors of 256 bits, as it does by default
 * (--force-max-simd-bitwidth=64 or 128 forbids them). After rte_eal_init(); any thread.
 */
bool simd_avx2(void);

/*
 * Returns true if the CPU has AVX-512 for bytes, and EAL allows vectors of 512 bits, as it does only
 * if asked (--force-max-simd-bitwidth=512). After rte_eal_init(); any thread.
 */
bool simd_avx512(void);

#endif /* SIMD_H */
