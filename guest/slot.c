/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Slots for guests: see slot.h for the contract. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/atomic.h"
#include "base/log.h"
#include "conf/conf.h"
#include "guest/slot.h"
#include "switch/port.h"

/*
 * How often a new guest waits for the main lcore to clear the slot of a guest that has just left,
 * as when a guest is restarted: it takes microseconds, unless the main lcore is busy, or a worker has lost
 * its CPU in the middle of a burst, for some milliseconds. All connections wait meanwhile.
 */
#define CLEAR_NAPS 400
#define CLEAR_NAP_NS 50000

unsigned int
slot_conf_port(const struct conf *c, const char *socket)
{
	unsigned int i, node = SOCKET_MAX;

	for (i = 0; i < c->nports; i++) {
		if (!conf_port_used(&c->port[i]))
			continue;
		if (strcmp(c->port[i].socket, socket) == 0)
			return c->port[i].going ? SOCKET_MAX : i;
		if (c->port[i].socket[0] == '\0')
			node = i;
	}
	return node; /* the cuse back end's socket has no name */
}

/* Returns how many guests a port has, and the lowest number that none of them has. */
static unsigned int
slot_count_guests(const struct ports *all, const struct conf_port *p, unsigned int *number)
{
	bool taken[GUEST_MAX + 1] = {false};
	unsigned int i, n = 0;

	for (i = 0; i < all->n; i++) {
		if (port_state(&all->port[i]) == PORT_FREE || all->port[i].settings != p)
			continue;
		taken[all->port[i].number] = true;
		n += port_state(&all->port[i]) == PORT_USED;
	}
	/* Number 0 is the guest in the port's own slot. */
	for (*number = 1; taken[*number]; ++*number)
		;
	return n;
}

/* Waits a moment for the main lcore to clear a slot. Returns true if it is free. */
static bool
slot_wait_until_free(const struct ports *all, unsigned int slot)
{
	const struct timespec nap = {.tv_nsec = CLEAR_NAP_NS};
	unsigned int i;

	for (i = 0; i < CLEAR_NAPS && port_state(&all->port[slot]) == PORT_LEAVING; i++)
		nanosleep(&nap, NULL);
	return port_state(&all->port[slot]) == PORT_FREE;
}

/* Returns the lowest free slot that is no port's own, and whose tag no port names. */
static unsigned int
slot_spare(const struct ports *all, const struct conf *c, const struct conf_port *p)
{
	unsigned int i;
	uint16_t tag;

	for (i = c->nports; i < GUEST_MAX; i++) {
		if (port_state(&all->port[i]) != PORT_FREE)
			continue;
		tag = conf_vlan(c, i);
		if (p->vlan_given || tag == 0 || tag > VLAN_LAST || conf_tag_owner(c, tag) == i)
			break;
	}
	return i;
}

/*
 * Chooses a slot, and the guest's number in its port. Returns GUEST_MAX, after an error was logged,
 * if there is none.
 */
static unsigned int
slot_choose(const struct ports *all, const struct conf *c, unsigned int conf_port,
		unsigned int *number)
{
	const struct conf_port *p = &c->port[conf_port];
	unsigned int slot = conf_port;

	if (slot_count_guests(all, p, number) >= p->guests) {
		say(ERR,
				"port %s: guest refused: it has %u already, as many as it takes; "
				"raise guests= of its --port\n",
				p->name, p->guests);
		return GUEST_MAX;
	}
	if (slot_wait_until_free(all, conf_port)) {
		*number = 0;
	} else if (p->guests == 1 && all->port[conf_port].settings == p) {
		say(ERR, "port %s: guest refused: its last one is just leaving; try again\n",
				p->name);
		return GUEST_MAX;
	} else {
		slot = slot_spare(all, c, p);
	}
	if (slot == GUEST_MAX)
		say(ERR,
				"port %s: guest refused: all %d devices are in use, or kept for "
				"other ports\n",
				p->name, GUEST_MAX);
	return slot;
}

static uint16_t
slot_tag(const struct conf *c, const struct conf_port *p, unsigned int slot)
{
	return p->vlan_given ? p->vlan : conf_vlan(c, slot);
}

/* Workers look at what the policy says that they should look at. */
static void
slot_set(struct port *port, const struct conf_port *p, uint16_t tag)
{
	store_release(&port->settings, p);
	store_relaxed(&port->vlan, tag);
	store_release(&port->policy,
			(p->nmacs != 0 ? PORT_MACS : 0) | (p->isolated ? PORT_ISOLATED : 0) |
					(p->no_own_tags ? PORT_NO_TAGS : 0));
}

void
slot_set_conf(struct ports *all, const struct conf *now, const struct conf *next)
{
	const struct conf_port *p;
	struct port *port;
	unsigned int i;

	for (i = 0; i < ports_used(all); i++) {
		port = &all->port[i];
		if (port->settings == NULL)
			continue;
		p = &next->port[port->settings - now->port];
		if (!conf_port_used(p)) /* the slot is free: a port goes after its guests */
			store_release(&port->settings, NULL);
		else
			slot_set(port, p, slot_tag(next, p, i));
	}
}

uint16_t
slot_take(struct ports *all, const struct conf *c, unsigned int conf_port)
{
	const struct conf_port *p = &c->port[conf_port];
	unsigned int number, slot = slot_choose(all, c, conf_port, &number);
	struct port *at = &all->port[slot];
	uint16_t tag;

	if (slot == GUEST_MAX)
		return SLOT_NONE;
	tag = slot_tag(c, p, slot);
	if (tag > VLAN_LAST) {
		say(ERR,
				"port %s: guest refused: device %u would have VLAN tag %u, past %u; "
				"choose a smaller --vlan-base\n",
				p->name, slot, tag, VLAN_LAST);
		return SLOT_NONE;
	}
	at->number = number;
	slot_set(at, p, tag);
	store_release(&at->state, PORT_USED);
	if (slot >= all->n)
		store_release(&all->n, slot + 1);
	return slot;
}

char *
slot_name(const struct ports *all, uint16_t slot, char name[SLOT_NAME_MAX])
{
	const struct conf_port *p = load_acquire(&all->port[slot].settings);

	if (slot == PORT_UPLINK || p == NULL)
		snprintf(name, SLOT_NAME_MAX, "%s", slot == PORT_UPLINK ? "uplink" : "");
	else if (p->guests == 1 && all->port[slot].number == 0)
		snprintf(name, SLOT_NAME_MAX, "%s", p->name);
	else
		snprintf(name, SLOT_NAME_MAX, "%s.%u", p->name, all->port[slot].number);
	return name;
}

unsigned int
slot_find(const struct ports *all, const char *name)
{
	char other[SLOT_NAME_MAX];
	unsigned int i;

	for (i = 0; i < ports_used(all); i++)
		if (port_state(&all->port[i]) == PORT_USED &&
				strcmp(slot_name(all, i, other), name) == 0)
			return i;
	return GUEST_MAX;
}
