/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Prefetching what is about to be written. For what is read there are the functions of DPDK.
 *
 * A line that is only read may be in the caches of several CPUs. A store to it has to wait until the others
 * have given it up, and all later stores wait for that one.
 *
 * No state; any thread.
 */
#ifndef PREFETCH_H
#define PREFETCH_H

#include <rte_config.h>

/*
 * Brings the cache line at p into this CPU's cache, and takes it from the others; any address will do. On x86 this
 * is written as an instruction, because GCC makes a prefetch for reading of __builtin_prefetch(p, 1) unless it is
 * told that the CPU has this one. Those that lack it, Intel's before Broadwell, do nothing instead.
 */
static inline void
prefetch_write(const void *p)
{
#ifdef RTE_ARCH_X86_64
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1, 3);
#endif
}

#endif /* PREFETCH_H */
