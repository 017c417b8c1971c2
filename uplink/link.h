/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds out what the port carries now: the state of its link, and how long frames may be.
 *
 * The main lcore asks the kernel (netdev.h) if the port is an interface of the kernel, else ethdev.
 * It publishes one number, u->limit, which workers read once a burst.
 */
#ifndef UPLINK_LINK_H
#define UPLINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct rte_eth_dev_info;
struct uplink;

/*
 * Sets u->rx_max, u->carries and the first value of u->limit, for a port that was just started, and
 * warns of offloads of the kernel that it can't convey. Main lcore, at start.
 */
void link_start(struct uplink *u, const struct rte_eth_dev_info *info);

/* Asks again if there was no answer the last time. Main lcore, once a second. */
void link_tick(struct uplink *u);

/* Closes what link_start() opened. */
void link_stop(struct uplink *u);

/*
 * Returns the longest payload that a driver of the kernel's interfaces is known to carry; 0: not
 * known.
 */
uint32_t link_payload(const struct rte_eth_dev_info *info);

/*
 * Returns a file descriptor that is readable when it is time for uplink_on_event(), which checks
 * the port's link; -1: there is none. Main lcore.
 */
int uplink_event_fd(const struct uplink *u);
void uplink_on_event(struct uplink *u);

/* Returns true if the link is up, or not known to be down. Any thread. */
bool uplink_is_up(const struct uplink *u);

/*
 * Returns "up", "down" or "down (interface removed)", or "none" if there is no uplink (NULL).
 * The same state has the same pointer. Any thread.
 */
const char *uplink_link_text(const struct uplink *u);

#endif /* UPLINK_LINK_H */
