/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which addresses the port lets in, and into which pool: see uplink.h.
 *
 * Main lcore. A filter that finds no room costs nothing but work: the port becomes
 * promiscuous, and what has no filter is sorted in software.
 */
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

void
uplink_set_promiscuous(struct uplink *u)
{
	int rc = rte_eth_promiscuous_enable(u->port);

	u->promiscuous = true;
	if (rc != 0 && rc != -ENOTSUP)
		say(WARNING, "port %u does not become promiscuous: %s\n", u->port,
				rte_strerror(-rc));
}

/* Whether the frames for a device with this tag come by a pool: the tag must name it alone. */
static bool
has_pool(const struct uplink *u, uint16_t device, uint16_t vlan)
{
	return u->vmdq && device < u->plan.devices && conf_tag_owner(u->conf, vlan) == device;
}

/* The pool argument of rte_eth_dev_mac_addr_add() for a device. */
static uint16_t
mac_pool(struct uplink *u, uint16_t device, uint16_t vlan)
{
	if (has_pool(u, device, vlan))
		return vmdq_pool(&u->plan, device).mac;
	if (u->vmdq && device >= u->plan.devices && !u->pools_out) {
		u->pools_out = true;
		say(NOTICE,
				"port %u has pools for %u devices: what comes for device %u, and "
				"for those after it, is sorted in software\n",
				u->port, u->plan.devices, device);
	}
	return 0;
}

bool
uplink_add_mac(struct uplink *u, const struct rte_ether_addr *mac, uint16_t device, uint16_t vlan)
{
	struct rte_ether_addr copy = *mac;
	uint16_t pool = mac_pool(u, device, vlan);

	/* A port that lets everything in needs no filter, unless filters choose the pool. */
	if (u->promiscuous && !u->vmdq)
		return false;
	if (rte_eth_dev_mac_addr_add(u->port, &copy, pool) == 0)
		return has_pool(u, device, vlan);
	if (!u->filters_out) {
		u->filters_out = true;
		say(NOTICE,
				"port %u has no room for the addresses of guests: promiscuous from "
				"here on, and what has no filter is sorted in software\n",
				u->port);
	}
	if (!u->promiscuous)
		uplink_set_promiscuous(u);
	return false;
}

void
uplink_remove_mac(struct uplink *u, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr copy = *mac;
	int rc;

	if (u->promiscuous && !u->vmdq)
		return;
	rc = rte_eth_dev_mac_addr_remove(u->port, &copy);
	/* Not there (no room for it then): fine. The port's own address stays. */
	if (rc != 0 && rc != -ENOTSUP && rc != -EADDRINUSE)
		say(WARNING, "port %u does not remove the filter of an address: %s\n", u->port,
				rte_strerror(-rc));
}

bool
uplink_move_mac(struct uplink *u, const struct rte_ether_addr *mac, uint16_t device, uint16_t vlan)
{
	if (!u->vmdq)
		return false;
	/* Added first, it would be in two pools, which some drivers do not manage. */
	uplink_remove_mac(u, mac);
	return uplink_add_mac(u, mac, device, vlan);
}
