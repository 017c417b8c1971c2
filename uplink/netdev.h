/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The kernel's interface under a port: what the kernel says of it, and when it says so.
 *
 * Drivers that send and receive by an interface of the kernel (net_af_packet and others)
 * say little of it: some call a link up for ever. So the kernel itself is asked, by
 * rtnetlink, with the interface's index, which stays when its name changes. Main lcore.
 */
#ifndef UPLINK_NETDEV_H
#define UPLINK_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if.h>

struct netdev {
	int index;
	int events; /* a socket that can be read when some interface has changed; -1: none */
};

struct netdev_state {
	bool there; /* false: it was removed, or went to another namespace */
	bool up;    /* and its link, too */
	uint32_t mtu;
	int link;       /* index of the interface that its frames come from; 0: none */
	bool link_away; /* that one is in another namespace */
	bool pair;      /* that one sends what this one receives, as with veth */
	char name[IFNAMSIZ];
};

/* Starts to listen to what changes. False, with errno set: it can't. */
bool netdev_open(struct netdev *d, int index);

void netdev_close(struct netdev *d);

/* Throws away what there is to be read at d->events: it only says that something changed. */
void netdev_drain(const struct netdev *d);

/* Asks for the state of an interface. False, with errno set: the kernel gives no answer. */
bool netdev_ask(int index, struct netdev_state *state);

/*
 * Reads, and so clears, what went wrong with this process' packet sockets on an interface. One
 * that was down has left ENETDOWN there, and the next call to send would return that.
 */
void netdev_clear_errors(int index);

/* Offloads that change the frames that a kernel hands over: bits. */
#define NETDEV_TX_CSUM 1 /* checksums are left to the interface */
#define NETDEV_TSO 2     /* segments are left to it */
#define NETDEV_GRO 4     /* frames are merged as they come in */
#define NETDEV_LRO 8     /* the NIC merges them */

/* Those of an interface of this namespace that are switched on; what it can't say is off. */
unsigned int netdev_offloads(const char *name);

#endif /* UPLINK_NETDEV_H */
