/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Addresses and their filters: see addresses.h for the contract. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mac.h"
#include "conf/conf.h"
#include "guest/slot.h"
#include "run/addresses.h"
#include "run/parts.h"
#include "run/statics.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "uplink/uplink.h"

/* Returns true if a static address is of the guest in a slot. */
static bool
addresses_are_of(const struct static_address *a, const struct port *slot)
{
	return slot->settings != NULL && a->number == slot->number &&
			strcmp(a->port, slot->settings->name) == 0;
}

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
		return true; /* its addresses are not checked, as the wire may send a guest's frame back */
	c = p->ports->port[port].settings;
	for (i = 0; i < c->nmacs; i++)
		if (rte_is_same_ether_addr(&c->mac[i], &mac))
			return true;
	return false;
}

void
addresses_forget_port(const struct parts *p, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < p->statics->n; i++)
		p->statics->list[i].waits |=
				addresses_are_of(&p->statics->list[i], &p->ports->port[port]);
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
	const struct parts *p = parts;
	unsigned int i;

	if (addresses_allowed(p, key, port))
		return false;
	for (i = 0; i < p->statics->n; i++)
		p->statics->list[i].waits |= p->statics->list[i].key == key;
	return true;
}

void
addresses_enforce(const struct parts *p)
{
	if (p->conf->nmacs != 0)
		addresses_forget_if(p, addresses_not_allowed, (void *)(uintptr_t)p);
}

/* Puts an address that does not age into the table. Returns false if the port has as many as it may have. */
static bool
addresses_put(const struct parts *p, uint64_t key, uint16_t port)
{
	uint16_t old;
	enum fdb_verdict verdict = fdb_add_static(p->fdb, key, port, &old);

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

bool
addresses_fix(const struct parts *p, uint64_t key, uint16_t port)
{
	const struct port *to = &p->ports->port[port];
	struct static_address a = {.key = key};

	if (!addresses_put(p, key, port))
		return false;
	statics_drop(p->statics, key);
	if (port == PORT_UPLINK) /* it never leaves */
		return true;
	snprintf(a.port, sizeof(a.port), "%s", to->settings->name);
	slot_name(p->ports, port, a.guest);
	a.number = to->number;
	if (!statics_add(p->statics, &a))
		say(WARNING, "no memory: a static address of port %s ends with its guest\n",
				a.guest);
	return true;
}

void
addresses_return(const struct parts *p, uint16_t port, bool committed)
{
	struct static_address *a;
	struct rte_ether_addr mac;
	unsigned int i;

	for (i = p->statics->n; i-- > 0;) {
		a = &p->statics->list[i];
		if (!a->waits || !addresses_are_of(a, &p->ports->port[port]))
			continue;
		a->waits = !addresses_allowed(p, a->key, port) || !addresses_put(p, a->key, port);
		if (!a->waits || !committed)
			continue;
		mac = fdb_mac(a->key);
		say(NOTICE, "port %s: may no longer have the static address " MAC_FORMAT "\n",
				a->guest, MAC_BYTES(mac));
		statics_drop(p->statics, a->key);
	}
}

void
addresses_commit(const struct parts *p)
{
	unsigned int i;

	addresses_enforce(p);
	statics_drop_ports(p->statics, p->conf);
	for (i = 0; i < ports_used(p->ports); i++)
		if (port_state(&p->ports->port[i]) == PORT_USED)
			addresses_return(p, i, true);
}

uint32_t
addresses_forget_static(const struct parts *p, uint64_t key, unsigned int port)
{
	const struct port *of = &p->ports->port[port < GUEST_MAX ? port : 0];
	const struct static_address *a;
	unsigned int i;
	uint32_t waited = 0;

	for (i = p->statics->n; i-- > 0;) {
		a = &p->statics->list[i];
		if ((key == 0 || key == a->key) &&
				(port == PORT_MAX || (port < GUEST_MAX && addresses_are_of(a, of))))
			waited += statics_drop(p->statics, a->key);
	}
	return waited;
}

void
addresses_tick(const struct parts *p)
{
	fdb_tick(p->fdb, addresses_gone, p->uplink);
}
