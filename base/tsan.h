/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Tells ThreadSanitizer what it can't see: the points where libraries that it does not instrument,
 * DPDK and libc, order the work of two threads. Each use says which library call does that. In all
 * other builds these functions do nothing. Any thread.
 */
#ifndef TSAN_H
#define TSAN_H

#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN_ON 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN_ON 1
#endif
#endif

#ifdef TSAN_ON
/* These are in the sanitizer's run-time library; gcc 12 has no header for them. */
void __tsan_acquire(void *at);
void __tsan_release(void *at);
#endif

/* Marks a function that reads what another thread may be writing: an old value will do. */
#ifdef TSAN_ON
#define TSAN_STALE __attribute__((no_sanitize("thread")))
#else
#define TSAN_STALE
#endif

/*
 * Orders this thread's work up to here before the work of another thread after its tsan_acquire().
 */
static inline void
tsan_release(const volatile void *at)
{
#ifdef TSAN_ON
	__tsan_release((void *)(uintptr_t)at);
#else
	(void)at;
#endif
}

static inline void
tsan_acquire(const volatile void *at)
{
#ifdef TSAN_ON
	__tsan_acquire((void *)(uintptr_t)at);
#else
	(void)at;
#endif
}

#endif /* TSAN_H */
