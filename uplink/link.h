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

struct rte_eth_dev_info;
struct uplink;

/*
 * Sets u->rx_max, u->carries and what u->limit begins with, for a port that was just
 * started, and says what it carries of the frames of its kernel. Main lcore, at start.
 */
void link_start(struct uplink *u, const struct rte_eth_dev_info *info);

/* Closes what link_start() opened. */
void link_stop(struct uplink *u);

/* Longest payload that a driver of the kernel's interfaces is known to carry; 0: not known. */
uint32_t link_payload(const struct rte_eth_dev_info *info);

/*
 * A descriptor that can be read when it is time for uplink_on_event(), which looks at the
 * port's link; -1: there is none. Main lcore.
 */
int uplink_event_fd(const struct uplink *u);
void uplink_on_event(struct uplink *u);

/* Whether the link is up, as far as it is known. Any thread. */
bool uplink_is_up(const struct uplink *u);

/* The same for who reads: "up" or "down"; "none" if there is no uplink (NULL). Any thread. */
const char *uplink_link_text(const struct uplink *u);

#endif /* UPLINK_LINK_H */
