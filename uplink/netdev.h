/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The kernel's interface under a port: its state, as the kernel tells it, and its changes.
 *
 * Drivers that send and receive by an interface of the kernel (net_af_packet and others) tell
 * little about it: some always report a link as up. So the kernel itself is asked, by rtnetlink,
 * with the interface's index, which stays when its name changes. Main lcore.
 */
#ifndef UPLINK_NETDEV_H
#define UPLINK_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if.h>

struct netdev {
	int index;
	int events; /* socket that is readable when some interface has changed; -1: none */
};

struct netdev_state {
	bool there; /* false: it was removed, or moved to another namespace */
	bool up;    /* the interface is up, and its link */
	uint32_t mtu;
	int link;       /* index of the interface that its frames come from; 0: none */
	bool link_away; /* `link` is in another namespace */
	bool pair;      /* `link` sends what this one receives, as with veth */
	char name[IFNAMSIZ];
};

/* Starts to listen for changes. Returns false with errno set if that fails. */
bool netdev_open(struct netdev *d, int index);

void netdev_close(struct netdev *d);

/* Discards all messages at d->events: they only say that something changed. */
void netdev_drain(const struct netdev *d);

/*
 * Asks for the state of an interface. Returns false with errno set if the kernel does not answer.
 */
bool netdev_ask(int index, struct netdev_state *state);

/* Returns true if there is an interface of this name. */
bool netdev_exists(const char *name);

/*
 * Reads, and so clears, the errors of this process' packet sockets on an interface. While it was
 * down it left ENETDOWN there, which the next call to send would return.
 */
void netdev_clear_errors(int index);

/* Offloads that change the frames which the kernel passes on: bits. */
#define NETDEV_TX_CSUM 1 /* checksums are left to the interface */
#define NETDEV_TSO 2     /* segments are left to it */
#define NETDEV_GRO 4     /* frames are merged as they come in */
#define NETDEV_LRO 8     /* the NIC merges them */

/*
 * Returns the offloads that are switched on at an interface of this namespace; unknown ones count
 * as off.
 */
unsigned int netdev_offloads(const char *name);

#endif /* UPLINK_NETDEV_H */
