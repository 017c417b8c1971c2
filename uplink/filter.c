/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which addresses the port lets in, and into which pool: see uplink.h.
 *
 * Main lcore. If there is no room for a filter, no frame is lost: the port becomes promiscuous, and
 * frames for addresses without a filter are sorted in software. When the NIC is full, the device
 * with the most filters gives one up to a device with fewer, so that a guest with hundreds of
 * addresses does not use up its neighbours' filters. When all addresses have filters again,
 * promiscuous mode ends.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/*
 * Promiscuous mode ends when all addresses have had filters for so many seconds. A guest whose
 * addresses come and go can't change the mode, and fill the log, more often.
 */
#define FITS_SECONDS 5

/*
 * A driver that refused a filter, or promiscuous mode, is asked again after so long: a PF that was reset may be up by
 * then. A driver may wait for its PF for two seconds each time.
 */
#define REFUSED_SECONDS 10

void
uplink_set_promiscuous(struct uplink *u)
{
	int rc = rte_eth_promiscuous_enable(u->port);
	bool refused = rc != 0 && rc != -ENOTSUP;

	if (refused && u->filters.mode_refused == 0)
		say(WARNING, "port %u does not become promiscuous: %s; it is asked again\n",
				u->port, rte_strerror(-rc));
	else if (!refused && u->filters.mode_refused != 0)
		say(NOTICE, "port %u is promiscuous now\n", u->port);
	u->promiscuous = true;
	u->filters.mode_refused = refused ? 1 : 0;
}

bool
filter_init(struct uplink_filters *f, uint32_t most)
{
	f->room = f->most = most;
	f->list = calloc(most + 1, sizeof(*f->list)); /* + 1: for 0 bytes it may return NULL */
	return f->list != NULL;
}

void
filter_free(struct uplink_filters *f)
{
	free(f->list);
}

/*
 * Returns true if a pool receives the frames for a device with this tag: the tag must name it
 * alone.
 */
static bool
filter_has_pool(const struct uplink *u, uint16_t device, uint16_t vlan)
{
	return u->vmdq && device < u->plan.devices && conf_tag_owner(u->conf, vlan) == device;
}

/* Returns the pool argument of rte_eth_dev_mac_addr_add() for a device. */
static uint16_t
filter_mac_pool(struct uplink *u, uint16_t device, uint16_t vlan)
{
	if (filter_has_pool(u, device, vlan))
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

/*
 * Returns true if filters are needed: a promiscuous port needs none, unless filters choose the
 * pool.
 */
static bool
filter_needs_none(const struct uplink *u)
{
	return u->conf->promiscuous && !u->vmdq;
}

/* Finds the filter of an address in the list. Returns NULL if it has none. */
static struct uplink_filter *
filter_find(const struct uplink_filters *f, const struct rte_ether_addr *mac)
{
	uint32_t i;

	for (i = 0; i < f->n; i++)
		if (rte_is_same_ether_addr(&f->list[i].mac, mac))
			return &f->list[i];
	return NULL;
}

/* Removes a filter from the NIC and from the list. */
static void
filter_drop(struct uplink *u, struct uplink_filter *gone)
{
	struct uplink_filters *f = &u->filters;
	int rc = rte_eth_dev_mac_addr_remove(u->port, &gone->mac);

	/* If a guest has the port's own address, that stays. */
	if (rc != 0 && rc != -EADDRINUSE)
		say(WARNING, "port %u does not remove the filter of an address: %s\n", u->port,
				rte_strerror(-rc));
	f->of[gone->device]--;
	*gone = f->list[--f->n];
}

/* Adds a filter to the NIC. Returns false if there is no room. */
static bool
filter_install(struct uplink *u, const struct rte_ether_addr *mac, uint16_t device, uint16_t pool)
{
	struct uplink_filters *f = &u->filters;
	struct rte_ether_addr copy = *mac;

	if (f->n == f->most)
		return false;
	if (rte_eth_dev_mac_addr_add(u->port, &copy, pool) != 0) {
		f->most = f->n;
		f->refused = 0;
		f->trial = false;
		return false;
	}
	if (f->trial)
		f->most = f->room; /* it was not for lack of room */
	f->trial = false;
	f->list[f->n++] = (struct uplink_filter){copy, device};
	f->of[device]++;
	return true;
}

/* Notes an address without a filter: the port receives everything from here on. */
static void
filter_do_without(struct uplink *u)
{
	u->filters.without++;
	u->filters.fits = 0;
	if (u->promiscuous)
		return;
	say(NOTICE,
			"port %u has no room for the addresses of guests: promiscuous until it has, "
			"and what has no filter is sorted in software\n",
			u->port);
	uplink_set_promiscuous(u);
}

/*
 * Makes room for a device that has fewer filters than another. *lost gets the address that lost its
 * filter.
 */
static bool
filter_make_room(struct uplink *u, uint16_t device, struct rte_ether_addr *lost)
{
	struct uplink_filters *f = &u->filters;
	uint16_t rich = 0;
	uint32_t i;

	for (i = 1; i < GUEST_MAX; i++)
		if (f->of[i] > f->of[rich])
			rich = i;
	/* Otherwise the two would take filters from each other without end. */
	if (f->of[rich] <= f->of[device] + 1)
		return false;
	for (i = 0; f->list[i].device != rich; i++)
		;
	*lost = f->list[i].mac;
	filter_do_without(u); /* first, so that no frame is lost meanwhile */
	filter_drop(u, &f->list[i]);
	return true;
}

enum filter_state
uplink_add_mac(struct uplink *u, const struct rte_ether_addr *mac, uint16_t device, uint16_t vlan,
		struct rte_ether_addr *lost)
{
	uint16_t pool = filter_mac_pool(u, device, vlan);

	memset(lost, 0, sizeof(*lost));
	if (filter_needs_none(u))
		return FILTER_NONE;
	if (!filter_install(u, mac, device, pool) &&
			!(filter_make_room(u, device, lost) &&
					filter_install(u, mac, device, pool))) {
		filter_do_without(u);
		return FILTER_NONE;
	}
	return filter_has_pool(u, device, vlan) ? FILTER_POOL : FILTER_PORT;
}

void
uplink_remove_mac(struct uplink *u, const struct rte_ether_addr *mac)
{
	struct uplink_filter *gone;

	if (filter_needs_none(u))
		return;
	gone = filter_find(&u->filters, mac);
	if (gone != NULL)
		filter_drop(u, gone);
	else
		u->filters.without--;
}

enum filter_state
uplink_move_mac(struct uplink *u, const struct rte_ether_addr *mac, uint16_t device, uint16_t vlan,
		struct rte_ether_addr *lost)
{
	struct uplink_filter *moved = u->vmdq ? NULL : filter_find(&u->filters, mac);

	if (moved == NULL) {
		/* It is removed first: some drivers can't have an address in two pools. */
		uplink_remove_mac(u, mac);
		return uplink_add_mac(u, mac, device, vlan, lost);
	}
	memset(lost, 0, sizeof(*lost));
	u->filters.of[moved->device]--;
	u->filters.of[device]++;
	moved->device = device;
	return FILTER_PORT;
}

/*
 * Lets another filter be tried after a while, if the driver has refused one though it said that it has room: it may
 * have less, or the NIC could not at that time.
 */
static void
filter_try_again(struct uplink_filters *f)
{
	if (f->trial) { /* nobody needed one */
		f->trial = false;
		f->most--;
		return;
	}
	if (f->without == 0 || f->n < f->most || f->most >= f->room ||
			++f->refused < REFUSED_SECONDS)
		return;
	f->refused = 0;
	f->trial = true;
	f->most++;
}

bool
uplink_has_room(const struct uplink *u)
{
	return u->filters.without != 0 && u->filters.n < u->filters.most;
}

void
filter_tick(struct uplink *u)
{
	struct uplink_filters *f = &u->filters;
	int rc;

	filter_try_again(f);
	if (f->mode_refused != 0 && f->mode_refused++ >= REFUSED_SECONDS)
		uplink_set_promiscuous(u);
	if (!u->promiscuous || u->conf->promiscuous || f->without != 0 || f->most == 0 ||
			++f->fits < FITS_SECONDS)
		return;
	rc = rte_eth_promiscuous_disable(u->port);
	if (rc != 0) {
		f->fits = 0; /* it is tried again */
		return;
	}
	u->promiscuous = false;
	f->mode_refused = 0;
	say(NOTICE, "port %u has room for the addresses of guests again: promiscuous no longer\n",
			u->port);
}
