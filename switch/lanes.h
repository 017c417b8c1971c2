/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * All lanes: choosing the one that polls a source, and waiting until none uses what was withdrawn.
 *
 * The main lcore makes them before workers run. Then librte_vhost's thread gives sources to lanes
 * and takes them away again; any other thread that does so holds the same lock (guest/vhost_user.c).
 */
#ifndef LANES_H
#define LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct conf;
struct lane;
struct rte_rcu_qsbr;
struct source;

struct lanes {
	unsigned int n;
	struct lane *lane[WORKER_MAX];
	struct rte_rcu_qsbr *qsbr; /* each worker reports to it between bursts; see grace.h */
};

/*
 * lanes_add() gives a guest's source to a lane, which place.h chooses (`memory` is an address of the guest's).
 * lanes_remove() takes it away again: the source may still be in use until a grace period is over.
 */
void lanes_add(struct lanes *all, struct source *s, const void *memory);
void lanes_remove(struct lanes *all, struct source *s);

/*
 * Moves a guest's source to lane `to`. Its frames keep their order, except for segments that wait in an uplink's full
 * queue of the former lane, and frames that wait go on waiting.
 * Returns false, and moves nothing, if a worker has not finished its burst after some milliseconds. Called by
 * any thread that may call lanes_add().
 */
bool lanes_move(struct lanes *all, struct source *s, unsigned int to);

/* Has source `i` of the uplink polled by the first lane, for as long as it runs. Main lcore. */
void lanes_add_uplink(struct lanes *all, struct source *s, unsigned int i);

/* Wakes all workers that sleep, so that they see if they must stop. Any thread. */
void lanes_wake_all(struct lanes *all);

/*
 * Gives all lanes other settings. Workers may use those before until a grace period is over. Main
 * lcore.
 */
void lanes_set_conf(struct lanes *all, const struct conf *c);

/*
 * Waits until every worker has been between two bursts, so that nothing that was withdrawn before
 * is in use any more. Yields the CPU while it waits. Must not be called by workers.
 */
void lanes_quiesce(struct lanes *all);

/* Waits as lanes_quiesce() does, for `most` cycles of the TSC at most. Returns true if every worker has been. */
bool lanes_wait(struct lanes *all, uint64_t most);

#endif /* LANES_H */
