/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a change of ports comes to: see plan.h for the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf_port.h"
#include "run/parts.h"
#include "run/plan.h"
#include "run/rpc_events.h"
#include "switch/port.h"

bool
plan_begin(struct plan *p)
{
	*p = (struct plan){
			.before = malloc(sizeof(*p->before)),
			.next = malloc(sizeof(*p->next)),
	};
	return p->before != NULL && p->next != NULL;
}

void
plan_end(struct plan *p)
{
	free(p->before);
	free(p->next);
	*p = (struct plan){.before = NULL};
}

/* Returns true if a port's socket has a path that is in use until another port has gone. */
static bool
plan_is_late(const struct plan *p, unsigned int index)
{
	unsigned int i;

	if (p->kind[index] != CHANGE_ADD)
		return false;
	for (i = 0; i < p->before->nports; i++)
		if (plan_removes(p, i) &&
				strcmp(p->before->port[i].socket, p->next->port[index].socket) == 0)
			return true;
	return false;
}

/* Returns true if a port is the device of the cuse back end, which has no socket. */
static bool
plan_is_node(const struct conf *c, unsigned int index)
{
	return conf_port_used(&c->port[index]) && c->port[index].socket[0] == '\0';
}

bool
plan_owner_differs(const struct conf_port *a, const struct conf_port *b)
{
	return a->owned != b->owned || a->uid != b->uid || a->gid != b->gid ||
			a->mode_given != b->mode_given || a->mode != b->mode;
}

/* Returns true unless it is the cuse device's port that is made, removed or given away: the device stays as it is. */
static bool
plan_keeps_node(const struct plan *p, unsigned int index)
{
	const struct conf_port *before = &p->before->port[index], *next = &p->next->port[index];
	const enum change kind = p->kind[index];

	if (!plan_is_node(p->before, index) && !plan_is_node(p->next, index))
		return true;
	if (kind == CHANGE_NONE || (kind == CHANGE_LIVE && !plan_owner_differs(before, next)))
		return true;
	say_error("port %s: is the device of --dev-basename, which stays as it is while the switch "
		  "runs: name it as before, or start the switch again",
			conf_port_used(before) ? before->name : next->name);
	return false;
}

bool
plan_compare(struct plan *p)
{
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++) {
		p->kind[i] = conf_change(p->before, p->next, i);
		/* The cause may be gone. */
		if (p->down[i] && conf_port_used(&p->next->port[i]) &&
				(p->kind[i] == CHANGE_NONE || p->kind[i] == CHANGE_LIVE))
			p->kind[i] = CHANGE_REMAKE;
	}
	for (i = 0; i < SOCKET_MAX; i++) {
		if (!plan_keeps_node(p, i))
			return false;
		p->late[i] = plan_is_late(p, i);
	}
	return true;
}

/*
 * Until it is known which settings stay, no guest that comes gets the tag that a port has in either, or is one more
 * than either allows.
 */
static void
plan_keep_free(const struct plan *p, struct conf *mid)
{
	const struct conf *const both[] = {p->before, p->next};
	const struct conf_port *c;
	unsigned int i, j;
	uint16_t *owner;

	for (i = 0; i < SOCKET_MAX; i++) {
		for (j = 0; j < RTE_DIM(both); j++) {
			c = &both[j]->port[i];
			owner = &mid->tag_owner[c->vlan];
			if (conf_port_used(c) && c->vlan_given && *owner >= mid->nports &&
					*owner < GUEST_MAX)
				*owner = TAG_NOBODY;
		}
		if (p->kind[i] == CHANGE_LIVE)
			mid->port[i].guests =
					RTE_MIN(p->before->port[i].guests, p->next->port[i].guests);
	}
}

struct conf *
plan_between(const struct plan *p, bool going)
{
	struct conf *mid = malloc(sizeof(*mid));
	struct conf_port *port;
	unsigned int i;

	if (mid == NULL)
		return NULL;
	*mid = *p->next;
	for (i = 0; i < SOCKET_MAX; i++) {
		port = &mid->port[i];
		if (plan_removes(p, i)) {
			*port = p->before->port[i];
			port->going = going;
			mid->nports = RTE_MAX(mid->nports, i + 1);
		} else if (p->late[i]) {
			memset(port, 0, sizeof(*port));
		}
	}
	conf_make_tables(mid);
	plan_keep_free(p, mid);
	return mid;
}

char *
plan_reconnects(const struct plan *p)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	unsigned int i;

	if (out == NULL)
		return NULL;
	for (i = 0; i < SOCKET_MAX; i++)
		if (p->kind[i] == CHANGE_REMAKE)
			fprintf(out, "%s\n", p->next->port[i].name);
	return fclose(out) == 0 ? text : NULL;
}

void
plan_tell(const struct plan *p, struct rpc *rpc)
{
	static const char *const event[] = {[CHANGE_ADD] = "port.added",
			[CHANGE_LIVE] = "port.changed",
			[CHANGE_REMAKE] = "port.changed",
			[CHANGE_REMOVE] = "port.removed"};
	const struct conf *from;
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++) {
		from = p->kind[i] == CHANGE_REMOVE ? p->before : p->next;
		if (p->kind[i] != CHANGE_NONE)
			rpc_event(rpc, event[p->kind[i]], "{s:s}", "port", from->port[i].name);
	}
}

/* Finds the port whose guest is in a slot, by its index. Returns false if no guest of a port is there. */
static bool
plan_guest_of(const struct parts *parts, unsigned int slot, unsigned int *index)
{
	const struct port *p = &parts->ports->port[slot];

	if (port_state(p) == PORT_FREE || p->settings == NULL)
		return false;
	*index = p->settings - parts->conf->port;
	return true;
}

bool
plan_leaves_tags(const struct plan *p, const struct parts *parts)
{
	const struct conf *next = p->next;
	const struct conf_port *c;
	unsigned int i, index;
	uint16_t tag;

	for (i = 0; i < ports_used(parts->ports) && next->vlan_base != 0; i++) {
		if (!plan_guest_of(parts, i, &index))
			continue;
		c = &next->port[index];
		if (plan_removes(p, index) || c->vlan_given)
			continue;
		tag = conf_vlan(next, i);
		if (tag > VLAN_LAST) {
			say_error("port %s: device %u would have VLAN tag %u, past %u: keep vlan=, or "
				  "disconnect that guest first",
					c->name, i, tag, VLAN_LAST);
			return false;
		}
		if (index == i || conf_tag_owner(next, tag) == i)
			continue;
		say_error("vlan=%u: is the tag of device %u, a guest of port %s: choose another, or "
			  "disconnect that guest first",
				tag, i, c->name);
		return false;
	}
	return true;
}

/* Returns true if a change can put a guest of a port out of its slot. */
static bool
plan_takes_slot(const struct plan *p, unsigned int index)
{
	const struct conf_port *before = &p->before->port[index], *next = &p->next->port[index];

	return !plan_removes(p, index) &&
			(next->guests < before->guests || next->vlan_given > before->vlan_given);
}

bool
plan_leaves_guests(const struct plan *p, const struct parts *parts)
{
	unsigned int i, index, guests[SOCKET_MAX] = {0};
	const struct conf_port *c;

	for (i = 0; i < ports_used(parts->ports); i++) {
		if (!plan_guest_of(parts, i, &index) ||
				port_state(&parts->ports->port[i]) != PORT_USED)
			continue;
		c = &p->next->port[index];
		if (!plan_takes_slot(p, index))
			continue;
		/* The tag of a port with one guest is that of the port's own slot. */
		if (++guests[index] <= c->guests && (c->guests > 1 || !c->vlan_given || i == index))
			continue;
		say_error("port %s: guests=%u: device %u has the slot of a further guest: disconnect "
			  "it first",
				c->name, c->guests, i);
		return false;
	}
	return true;
}

bool
plan_leaves_slots(const struct plan *p, const struct parts *parts)
{
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++) {
		if (p->kind[i] != CHANGE_ADD || port_state(&parts->ports->port[i]) == PORT_FREE)
			continue;
		say_error("port %s: another port's guest has just taken its slot: try again",
				p->next->port[i].name);
		return false;
	}
	return true;
}

bool
plan_is_cleared(const struct plan *p, const struct parts *parts, bool added)
{
	unsigned int i, index;

	for (i = 0; i < ports_used(parts->ports); i++)
		if (plan_guest_of(parts, i, &index) &&
				(added ? p->kind[index] == CHANGE_ADD : plan_removes(p, index)))
			return false;
	return true;
}
