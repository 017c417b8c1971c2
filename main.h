/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The switch as a whole: one struct that is passed down.
 *
 * Each member names its owner at its type; what is published to the workers is
 * published by RCU (sw->qsbr): withdraw, wait for a grace period, then change.
 */
#ifndef MAIN_H
#define MAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "conf/conf.h"
#include "base/log.h"
#include "switch/port.h"
#include "guest/peer.h"
#include "run/notify.h"
#include "run/stats.h"

struct cuse;
struct fdb;
struct guest;
struct rte_rcu_qsbr;
struct rte_ring;
struct uplink;
struct worker;

struct vswitch {
	struct conf conf;
	struct port port[PORT_MAX];
	unsigned int ports;        /* slots ever used, the uplink's aside */
	struct rte_rcu_qsbr *qsbr; /* workers report to it between bursts */
	struct fdb *fdb;
	struct uplink *uplink; /* NULL: none */
	unsigned int nworkers;
	struct worker *worker[WORKER_MAX];
	struct guest *guest[GUEST_MAX];      /* by device index; librte_vhost's thread */
	struct guest *guests;                /* all there ever were; librte_vhost's thread */
	struct rte_ring *requests;           /* struct request: workers to main lcore */
	struct peers peers;                  /* front ends that left; librte_vhost's thread */
	struct notify notify;                /* the service manager */
	struct cuse *cuse;                   /* NULL: no device node is served */
	int wake_fd;                         /* eventfd that wakes the main lcore */
	bool wake_pending;                   /* a wake-up is under way: no second write */
	bool stop;                           /* set once: workers leave their loops */
	struct port_count departed;          /* of guests that left; main lcore */
	struct port_count retired[PORT_MAX]; /* ... by slot: not the tenant's */
	struct port_count control[PORT_MAX]; /* counted by librte_vhost's thread */
	uint64_t faults;                     /* guests stopped for breaking the rules */
};

/* Slots ever used. Any thread: librte_vhost's adds to them. */
static inline unsigned int
vswitch_ports(const struct vswitch *sw)
{
	return load_acquire(&sw->ports);
}

/* What a worker asks the main lcore to do: to learn an address. */
struct request {
	uint64_t key;   /* see fdb_key() */
	uint32_t epoch; /* of the port when it asked */
	uint16_t port;
	uint16_t unused;
};

#endif /* MAIN_H */
