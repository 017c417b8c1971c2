/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the uplink share; nobody else includes it. */
#ifndef UPLINK_PRIV_H
#define UPLINK_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "main.h"
#include "source.h"

/* A worker's way out: its queue, and how its last try went. */
struct uplink_tx {
	uint16_t queue;
	uint8_t reason;         /* enum drop_reason: why not all went */
	rte_spinlock_t *shared; /* taken to use the queue; NULL: it is ours alone */
} __rte_cache_aligned;

struct uplink {
	struct source source; /* receive queue 0 */
	uint16_t port;        /* DPDK's number */
	bool strip_hw;        /* the NIC takes the tag off and tells us */
	bool strip;           /* guests see no tag */
	bool insert_hw;       /* the NIC puts tags on */
	bool promiscuous;
	bool started;
	uint32_t frame_max; /* longest frame that is switched */
	uint32_t carries;   /* longest frame that the port says it takes, our tag aside */
	struct rte_mempool *pool;
	rte_spinlock_t lock; /* for queues that workers share */
	struct uplink_tx tx[WORKER_MAX];
};

extern const struct source_ops uplink_source_ops;

#endif /* UPLINK_PRIV_H */
