/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the port carries now: its link, and how long frames may be.
 *
 * The main lcore finds out, by netdev.h where the port is an interface of the kernel, else
 * by ethdev, and publishes one number, u->limit, which workers read once a burst.
 */
#ifndef UPLINK_LINK_H
#define UPLINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "uplink/netdev.h"

struct rte_eth_dev_info;
struct uplink;

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

/*
 * Sets u->rx_max, u->carries and what u->limit begins with, for a port that was just
 * started, and says what it carries of the frames of its kernel. Main lcore, at start.
 */
void link_start(struct uplink *u, const struct rte_eth_dev_info *info);

/* Closes what link_start() opened. */
void link_stop(struct uplink *u);

/* Longest payload that a driver of the kernel's interfaces is known to carry; 0: not known. */
uint32_t link_payload(const struct rte_eth_dev_info *info);

#endif /* UPLINK_LINK_H */
