/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the files of the uplink share; no other file includes it. One struct uplink is made at the start. The main lcore
 * changes what it says of the link and of filters; each worker has queues of its own (struct members say which thread
 * may use them).
 */
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

/* A worker's transmit queue, and how its last try went. */
struct uplink_tx {
	uint16_t queue;
	uint8_t reason;         /* enum drop_reason: why not all frames were taken */
	uint16_t next;          /* index in pending[] of the first segment that waits */
	uint16_t npending;      /* number of segments that wait, of a frame that was sent in part */
	rte_spinlock_t *shared; /* guards the queue; NULL: no other worker uses it */
	struct rte_mbuf **pending; /* room for OFFLOAD_SEGMENTS_MAX; NULL: no frame is ever cut */
} __rte_cache_aligned;

/* Receive queues whose frames are sorted alike. Owned by worker 0. */
struct uplink_pool {
	struct source source;
	struct uplink *uplink;
	struct vmdq_pool queues;
	uint16_t turn;    /* index of the queue to look at next */
	uint16_t n_early; /* number of frames in early[], which were fetched too early */
	struct rte_mbuf *early[BURST_MAX];
};

/* The NIC's filter for an address of a device. */
struct uplink_filter {
	struct rte_ether_addr mac;
	uint16_t device;
};

/* What was decided by the settings when the port was opened, and stays. */
struct uplink_opened {
	bool tagged, tso;
	uint16_t tag_owner[VLAN_LAST + 2];
};

/* The main lcore owns the filters. */
struct uplink_filters {
	struct uplink_filter *list; /* n filters, in any order */
	uint32_t n;
	uint32_t room; /* most filters that the driver says it has, without its own address */
	uint32_t most; /* most filters that the driver takes of late: it has refused one more */
	unsigned int refused; /* seconds since the driver refused a filter, or a trial began */
	bool trial; /* `most` was raised by one, to see if the driver takes one more filter */
	unsigned int mode_refused; /* seconds since promiscuous mode was refused, from 1 on; 0: it was not */
	uint16_t of[GUEST_MAX]; /* number of filters of each device */
	uint32_t without;       /* number of guests' addresses without a filter */
	unsigned int fits;      /* seconds since `without` became 0 */
};

/* The main lcore owns the state of the link. */
struct uplink_link {
	int driver; /* index in link.c's table of drivers; -1: no interface of the kernel */
	int timer;  /* timerfd, where the link has to be polled; else -1 */
	struct netdev netdev;      /* open if `driver` is not -1 */
	struct netdev_state state; /* as the kernel told it last */
	uint32_t whole; /* longest frame that the driver is given, without its first tag */
	bool up;
	bool gone; /* its interface was removed, and the driver finds no other; any thread reads it */
	bool again;  /* there is another interface of the same name */
	bool silent; /* it was logged that the kernel does not answer */
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
	bool pools_out;      /* a device without a pool was logged */
	bool strip_hw;       /* the NIC removes the tag and reports it */
	bool strip;          /* guests see no tag */
	bool strip_priority; /* guests see no tag of VLAN 0, where other tags are the guests' */
	bool insert_hw;      /* the NIC adds tags */
	bool promiscuous;    /* the port is to be promiscuous */
	bool started;
	uint32_t frame_max; /* longest frame that is switched */
	uint32_t rx_max;    /* longest frame that is received whole */
	uint32_t carries;   /* longest frame that the port says it takes, without our tag */
	/*
	 * Longest frame that the port takes now, without the first tag; 0: its link is down. Set by
	 * the main lcore at any time.
	 */
	uint32_t limit;
	bool counts_88a8;   /* a first tag of type 0x88a8 counts as payload */
	uint16_t idle_pool; /* next pool without a device to look at; worker 0's */
	uint64_t call_time; /* cycles between calls without frames, of a port that needs them; 0: none */
	uint64_t call_at; /* when the next call is due; worker 0's */
	struct uplink_link link;
	struct uplink_nic nic; /* offloads that the NIC does */
	struct uplink_filters filters;
	struct uplink_opened opened;
	struct vmdq_plan plan;
	struct rte_mempool *mbufs;
	rte_spinlock_t lock; /* for queues that workers share */
	struct uplink_tx tx[WORKER_MAX];
};

extern const struct source_ops uplink_source_ops;
extern const struct sink_ops uplink_sink_ops;

struct rte_eth_dev_info;
struct rte_kvargs;

/* Returns the arguments that the port was made with, for rte_kvargs_free(); NULL: none that can be read. */
struct rte_kvargs *uplink_arguments(const struct rte_eth_dev_info *info);

/*
 * Makes the mbufs of a port that sorts as u->vmdq says. Returns false, after an error was printed,
 * if there is no memory, or if fewer were asked for than its queues need.
 */
bool uplink_make_mbufs(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		unsigned int nworkers);

/* Configures and starts the port. Returns 0, or -errno; then it may be called again. */
int uplink_start_port(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		unsigned int nworkers);

/* Make and free the list of filters of a port that takes so many. Main lcore. */
bool filter_init(struct uplink_filters *f, uint32_t most);
void filter_free(struct uplink_filters *f);
void filter_tick(struct uplink *u); /* once a second */

/* Makes the port promiscuous. Main lcore. */
void uplink_set_promiscuous(struct uplink *u);

#endif /* UPLINK_PRIV_H */
