/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Grace periods: rte_rcu_qsbr for several threads that wait at a time.
 *
 * Workers call grace_pass() between bursts. The main lcore and librte_vhost's threads withdraw
 * things: after that they ask for a token (rte_rcu_qsbr_start) and wait until grace_over() says
 * that every worker has passed since.
 */
#ifndef GRACE_H
#define GRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "base/tsan.h"

/* Worker `id` holds no reference any more to anything that was published. */
static inline void
grace_pass(struct rte_rcu_qsbr *v, unsigned int id)
{
	tsan_release(v);
	rte_rcu_qsbr_quiescent(v, id);
}

/* Returns true if all workers have passed since the token was taken. Does not wait. */
static inline bool
grace_over(struct rte_rcu_qsbr *v, uint64_t token)
{
	if (rte_rcu_qsbr_check(v, token, false) != 1)
		return false;
	/*
	 * If another thread has found that out already, the library takes its result (acked_token)
	 * by a plain load, which orders nothing: on a CPU that reorders loads, data that workers
	 * wrote could be read too early.
	 */
	fence_acquire();
	tsan_acquire(v);
	return true;
}

#endif /* GRACE_H */
