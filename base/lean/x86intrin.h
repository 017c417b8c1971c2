/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * This file is found before the compiler's header of this name, which most of DPDK's headers include by way of its
 * vectors. gcc's declares the functions of all x86 instructions: 47,000 lines, and two thirds of the time in which a
 * file of ours is compiled (1.05 s with it, 0.37 s without, gcc 12). DPDK's inline functions use what the compiler
 * compiles for, which for Debian's DPDK ends with SSE4.2. Where that is more, it is the compiler's header after all. A
 * file of ours that has code for more includes what it needs by itself. From 25.11 on DPDK's own headers include more,
 * and less is gained (gcc 16).
 *
 * There is no include guard, as all that is included here has one.
 */

#if defined(__AVX__) || defined(__GFNI__) || !__has_include(<x86gprintrin.h>)
#include_next <x86intrin.h>
#else
#include <nmmintrin.h>
#include <x86gprintrin.h>
#endif
