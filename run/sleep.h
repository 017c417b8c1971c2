/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Workers that sleep while nothing moves (--idle-sleep).
 *
 * A worker that found nothing for that long asks the drivers of all rings that it polls for
 * notifications, and after a full barrier looks at the rings once more: a driver either sees the
 * request, or its frame is seen here. Then the worker goes offline for RCU, so that no grace period
 * waits for it, and waits for the kick file descriptors of its rings and for an eventfd of its own. Whoever
 * gives it a source, takes one away, or ends it, writes to that eventfd (lanes.h). Back online it asks
 * for no more notifications, and polls.
 *
 * While it is offline the worker touches nothing that others may withdraw. It waits by ppoll(2) and
 * not by an epoll set: librte_vhost closes a ring's kick file descriptor once the ring was taken away,
 * but the guest has another one of the same open file, so an epoll set would keep reporting it.
 *
 * A source that cannot wake the worker (the uplink) is looked at after naps: the longer nothing
 * came, the longer they are.
 *
 * Called by the worker, except where it says otherwise.
 */
#ifndef SLEEP_H
#define SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wake.h"

struct lane;
struct rte_rcu_qsbr;
struct sleeper;

/*
 * Makes what the worker of a lane needs to sleep after so many microseconds. Returns NULL if the
 * system lacks it. Main lcore, before the worker runs.
 */
struct sleeper *sleeper_create(struct lane *l, struct rte_rcu_qsbr *qsbr, uint32_t after_us);

/* Frees a sleeper. Main lcore, when the worker has ended. NULL is allowed. */
void sleeper_destroy(struct sleeper *s);

/* Sleeps if nothing was found for long enough. Between two rounds; `stop` ends the worker. */
void sleeper_round(struct sleeper *s, const bool *stop);

#endif /* SLEEP_H */
