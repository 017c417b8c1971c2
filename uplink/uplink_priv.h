/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the files of the uplink share; nobody else includes it. */
#ifndef UPLINK_PRIV_H
#define UPLINK_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "base/limits.h"
#include "base/log.h"
#include "conf/conf.h"
#include "frame/frame.h"
#include "switch/port.h"
#include "switch/sink.h"
#include "switch/source.h"
#include "uplink/netdev.h"
#include "uplink/nic.h"
#include "uplink/vmdq.h"

/* A worker's way out: its queue, and how its last try went. */
struct uplink_tx {
	uint16_t queue;
	uint8_t reason;            /* enum drop_reason: why not all went */
	uint16_t next;             /* segments that wait, of a frame that is gone in part: */
	uint16_t npending;         /* pending[next] and on, npending of them */
	rte_spinlock_t *shared;    /* taken to use the queue; NULL: it is ours alone */
	struct rte_mbuf **pending; /* room for OFFLOAD_SEGMENTS_MAX; NULL: nothing is ever cut */
} __rte_cache_aligned;

/* Receive queues whose frames are sorted alike; worker 0's. */
struct uplink_pool {
	struct source source;
	struct uplink *uplink;
	struct vmdq_pool queues;
	uint16_t turn;  /* of them, the one to look at next */
	uint16_t nheld; /* frames that were fetched too early, the next ones */
	struct rte_mbuf *held[BURST_MAX];
};

/* The filter of an address of a device, in the NIC. */
struct uplink_filter {
	struct rte_ether_addr mac;
	uint16_t device;
};

/* The main lcore's. */
struct uplink_filters {
	struct uplink_filter *list; /* n of them, in any order */
	uint32_t n;
	uint32_t most;          /* that the NIC takes, its own address aside */
	uint16_t of[GUEST_MAX]; /* by device */
	uint32_t without;       /* addresses of guests that have none */
	unsigned int fits;      /* seconds for which there have been none of those */
};

/* The main lcore's. */
struct uplink_link {
	int driver;           /* of the kernel's interfaces, index in link.c's table; -1: none */
	int timer;            /* where nobody tells of changes: when to ask; else -1 */
	struct netdev netdev; /* opened with such a driver */
	struct netdev_state state; /* as the kernel told it last */
	uint32_t whole;            /* longest frame that the driver sends, its first tag aside */
	bool up;
	bool gone;   /* its interface was removed, and the driver finds no other */
	bool silent; /* it was said that the kernel does not tell */
};

struct uplink {
	struct sink sink;
	const struct conf *conf;
	struct ports *ports;
	struct uplink_pool *pool; /* [0]: sorted in software; [1 + i]: device i's */
	uint16_t npools;
	uint16_t port;       /* DPDK's number */
	bool vmdq;           /* the NIC sorts, as planned */
	bool nic_tags;       /* --vm2vm 2: frames bring their tag along */
	bool pools_out;      /* a device came that has no pool; said once */
	bool strip_hw;       /* the NIC takes the tag off and tells us */
	bool strip;          /* guests see no tag */
	bool strip_priority; /* ... of VLAN 0, on an uplink where other tags are the guests' */
	bool insert_hw;      /* the NIC puts tags on */
	bool promiscuous;
	bool started;
	uint32_t frame_max; /* longest frame that is switched */
	uint32_t rx_max;    /* longest frame that comes in whole */
	uint32_t carries;   /* longest frame that the port says it takes, our tag aside */
	/*
	 * Longest frame that it takes now, the first tag aside; 0: its link is down. Set by the
	 * main lcore at any time.
	 */
	uint32_t limit;
	uint16_t idle_pool; /* to look at though nobody is there; worker 0's */
	uint64_t call_time; /* cycles between calls without frames, of a port that needs them; 0: none */
	uint64_t call_at; /* when the next one is due; worker 0's */
	struct uplink_link link;
	struct uplink_nic nic; /* what it does of offloads */
	struct uplink_filters filters;
	struct vmdq_plan plan;
	struct rte_mempool *mbufs;
	rte_spinlock_t lock; /* for queues that workers share */
	struct uplink_tx tx[WORKER_MAX];
};

extern const struct source_ops uplink_source_ops;
extern const struct sink_ops uplink_sink_ops;

struct rte_eth_dev_info;

/*
 * Makes the mbufs of a port that is to sort as u->vmdq says. False: there is no room,
 * or fewer were asked for than its queues need; it was said.
 */
bool uplink_make_mbufs(struct uplink *u, const struct conf *c, unsigned int nworkers);

/* Configures and starts the port. 0, or -errno. May be called again after that. */
int uplink_start_port(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		unsigned int nworkers);

/* Makes room for a list of filters, of a port that takes so many; frees it. Main lcore. */
bool filter_init(struct uplink_filters *f, uint32_t most);
void filter_free(struct uplink_filters *f);

/* Lets in what no filter names. Main lcore. */
void uplink_set_promiscuous(struct uplink *u);

#endif /* UPLINK_PRIV_H */
