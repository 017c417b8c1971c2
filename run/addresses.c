/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Addresses and their filters: see addresses.h for the contract. */
#include "conf/conf.h"
#include "run/addresses.h"
#include "run/parts.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "uplink/uplink.h"

/* Handles an address that left the table: the uplink need not receive frames for it any more. */
static void
addresses_gone(void *uplink, uint64_t key, uint16_t port)
{
	struct rte_ether_addr mac = fdb_mac(key);

	if (port != PORT_UPLINK && uplink != NULL)
		uplink_remove_mac(uplink, &mac);
}

void
addresses_let_go(const struct parts *p, uint64_t key)
{
	struct rte_ether_addr mac = fdb_mac(key);

	if (p->uplink != NULL)
		uplink_remove_mac(p->uplink, &mac);
	fdb_set_filter(p->fdb, key, FILTER_NONE);
}

void
addresses_let_in(const struct parts *p, uint64_t key, uint16_t from, uint16_t to)
{
	struct rte_ether_addr mac = fdb_mac(key), lost;
	enum filter_state filter;

	if (p->uplink == NULL)
		return;
	if (from == PORT_UPLINK)
		filter = uplink_add_mac(p->uplink, &mac, to, p->ports->port[to].vlan, &lost);
	else
		filter = uplink_move_mac(p->uplink, &mac, to, p->ports->port[to].vlan, &lost);
	if (!rte_is_zero_ether_addr(&lost))
		fdb_set_filter(p->fdb, fdb_key(&lost, FDB_DOMAIN), FILTER_NONE);
	fdb_set_filter(p->fdb, key, filter);
}

bool
addresses_allowed(const struct parts *p, uint64_t key, uint16_t port)
{
	const struct rte_ether_addr mac = fdb_mac(key);
	const struct conf_port *c;
	unsigned int i;

	if (!conf_mac_named(p->conf, &mac))
		return port == PORT_UPLINK || (port_policy(&p->ports->port[port]) & PORT_MACS) == 0;
	if (port == PORT_UPLINK)
		return true; /* its addresses are not checked, as a frame of a guest's may come back */
	c = p->ports->port[port].settings;
	for (i = 0; i < c->nmacs; i++)
		if (rte_is_same_ether_addr(&c->mac[i], &mac))
			return true;
	return false;
}

void
addresses_forget_port(const struct parts *p, uint16_t port)
{
	fdb_forget_port(p->fdb, port, addresses_gone, p->uplink);
}

uint32_t
addresses_forget_if(const struct parts *p, fdb_unwanted_fn unwanted, void *arg)
{
	return fdb_forget_if(p->fdb, unwanted, arg, addresses_gone, p->uplink);
}

static bool
addresses_not_allowed(void *parts, uint64_t key, uint16_t port)
{
	return !addresses_allowed(parts, key, port);
}

void
addresses_settle(const struct parts *p)
{
	if (p->conf->nmacs != 0)
		addresses_forget_if(p, addresses_not_allowed, (void *)(uintptr_t)p);
}

bool
addresses_fix(const struct parts *p, uint64_t key, uint16_t port)
{
	uint16_t old;
	enum fdb_verdict verdict = fdb_fix(p->fdb, key, port, &old);

	if (verdict == FDB_FULL)
		return false;
	if (verdict == FDB_SAME)
		return true;
	if (port != PORT_UPLINK)
		addresses_let_in(p, key, verdict == FDB_MOVED ? old : PORT_UPLINK, port);
	else if (verdict == FDB_MOVED)
		addresses_let_go(p, key);
	return true;
}

void
addresses_tick(const struct parts *p, uint32_t seconds)
{
	fdb_tick(p->fdb, seconds, addresses_gone, p->uplink);
}
