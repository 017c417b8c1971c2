/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Loads and stores of variables that several threads use, named by their memory order.
 *
 * They are the compiler's builtins, on plain types: most shared variables are members of a struct
 * that otherwise belongs to one thread, or are in a guest's memory, where C11's _Atomic can't be.
 * Who else may use a variable is said where it is declared. No state; any thread.
 */
#ifndef ATOMIC_H
#define ATOMIC_H

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Each returns the value from before. */
#define exchange_acq_rel(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define fetch_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define fetch_or_release(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELEASE)

/* These return the new value. */
#define add_relaxed(p, v) __atomic_add_fetch(p, v, __ATOMIC_RELAXED)
#define sub_relaxed(p, v) __atomic_sub_fetch(p, v, __ATOMIC_RELAXED)
#define add_acq_rel(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
#define add_release(p, v) __atomic_add_fetch(p, v, __ATOMIC_RELEASE)
#define sub_release(p, v) __atomic_sub_fetch(p, v, __ATOMIC_RELEASE)

/*
 * Stores `v` if *p is still *old; otherwise *old becomes the value of *p. It may fail spuriously.
 */
#define compare_exchange_relaxed(p, old, v) \
	__atomic_compare_exchange_n(p, old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)

#define fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define fence_seq_cst() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif /* ATOMIC_H */
