/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Methods that show the switch, its ports and its workers: see rpc_call.h for the contract. */
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/atomic.h"
#include "base/version.h"
#include "conf/conf.h"
#include "conf/conf_port.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/guest.h"
#include "guest/guests.h"
#include "guest/slot.h"
#include "guest/vhost_user.h"
#include "run/change.h"
#include "run/load.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "run/rpc_port.h"
#include "run/stats.h"
#include "switch/fdb.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/port.h"
#include "switch/source.h"
#include "uplink/link.h"
#include "uplink/uplink.h"

enum rpc_end
rpc_hello(struct rpc_call *call)
{
	if (!rpc_read(call, "{}"))
		return RPC_FAILED;
	call->result = json_pack("{s:i, s:s, s:i, s:o}", "api", RPC_API, "version",
			VHOST_SWITCH_VERSION, "pid", (int)getpid(), "methods", rpc_method_names());
	return RPC_DONE;
}

static void
show_add(json_t *to, const char *name, uint64_t value)
{
	json_object_set_new(to, name, json_integer((json_int_t)value));
}

/* Adds a port's counters, and its drops by reason. */
static void
show_add_counters(json_t *to, const struct parts *p, uint16_t port)
{
	json_t *drops = json_object();
	struct port_count c;
	unsigned int i;

	stats_port(p, port, &c);
	show_add(to, "received", c.received);
	show_add(to, "received_bytes", c.received_bytes);
	show_add(to, "delivered", c.delivered);
	show_add(to, "dropped", count_dropped(&c));
	show_add(to, "sent", c.sent);
	show_add(to, "sent_bytes", c.sent_bytes);
	show_add(to, "flooded", c.flooded);
	show_add(to, "missed", c.missed);
	show_add(to, "signals", c.signals);
	show_add(to, "unlearned", c.unlearned);
	show_add(to, "checksums", c.checksums);
	show_add(to, "segments", c.segments);
	for (i = DROP_NONE + 1; i < DROP_MAX; i++)
		show_add(drops, drop_name(i), c.drop[i]);
	json_object_set_new(to, "drops", drops);
}

/* Returns true if a lane polls a source of a device. */
static bool
show_polls(const struct lane *l, uint16_t device)
{
	return load_acquire(&l->polled[device].n) != 0;
}

static json_t *
show_workers_of(const struct parts *p, uint16_t device)
{
	json_t *ids = json_array();
	unsigned int i;

	for (i = 0; i < p->lanes->n; i++)
		if (show_polls(p->lanes->lane[i], device))
			json_array_append_new(ids, json_integer(i));
	return ids;
}

/* Describes the guest in a slot, and says in *why why it does not work, or "". */
static json_t *
show_guest(const struct parts *p, uint16_t slot, char *why, size_t size)
{
	const struct guest *g = load_acquire(&p->guests->placed[slot]);
	const struct port *port = &p->ports->port[slot];
	char name[SLOT_NAME_MAX];
	uint8_t fault = FAULT_NONE;
	json_t *o = json_pack("{s:s, s:i, s:i, s:o, s:i}", "name", slot_name(p->ports, slot, name),
			"device", slot, "vlan", port_vlan(port), "workers",
			show_workers_of(p, slot), "addresses", (int)fdb_count(p->fdb, slot));

	if (g != NULL) {
		fault = guest_fault_reason(g);
		show_add(o, "receive_rings", guest_rings(g, RINGS_RX));
		show_add(o, "transmit_rings", guest_rings(g, RINGS_TX));
	}
	show_add_counters(o, p, slot);
	if (fault != FAULT_NONE)
		snprintf(why, size, "stopped: %s", fault_name(fault));
	else if (g == NULL || guest_rings(g, RINGS_ALL) == 0)
		snprintf(why, size, "its driver is not up");
	else
		why[0] = '\0';
	json_object_set_new(o, "why", json_string(why));
	return o;
}

/* Says why a port without a guest that works has none. */
static const char *
show_why_absent(const struct parts *p, unsigned int index)
{
	const char *why = changes_why(p->changes, index);

	if (why[0] != '\0')
		return why;
	return vhost_user_connections(p->guests, index) != 0
			? "a front end is connected; its driver is not up"
			: "waits for a guest";
}

static json_t *
show_port(const struct parts *p, unsigned int index)
{
	const struct conf_port *c = &p->conf->port[index];
	json_t *guests = json_array(), *o;
	unsigned int i, working = 0;
	char why[128] = "";

	for (i = 0; i < ports_used(p->ports); i++) {
		if (port_state(&p->ports->port[i]) != PORT_USED || p->ports->port[i].settings != c)
			continue;
		json_array_append_new(guests, show_guest(p, i, why, sizeof(why)));
		working += why[0] == '\0';
	}
	o = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "name", c->name, "kind",
			c->socket[0] != '\0' ? "vhost-user" : "cuse", "state",
			working != 0 ? "up" : "down", "index", (int)index, "settings",
			rpc_port_settings(c), "guests", guests);
	if (working != 0)
		why[0] = '\0';
	json_object_set_new(o, "why",
			json_string(working != 0 || why[0] != '\0' ? why
								   : show_why_absent(p, index)));
	return o;
}

static json_t *
show_uplink(const struct parts *p)
{
	const char *link = uplink_link_text(p->uplink);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "name", "uplink", "kind", "dpdk",
			"state", uplink_is_up(p->uplink) ? "up" : "down", "why",
			uplink_is_up(p->uplink) ? "" : "its link is down", "link", link,
			"addresses", (int)fdb_count(p->fdb, PORT_UPLINK));

	show_add_counters(o, p, PORT_UPLINK);
	return o;
}

enum rpc_end
rpc_port_list(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	const char *name = NULL;
	json_t *ports;
	unsigned int i;

	if (!rpc_read(call, "{s?s}", "name", &name))
		return RPC_FAILED;
	ports = json_array();
	for (i = 0; i < p->conf->nports; i++)
		if (conf_port_used(&p->conf->port[i]) &&
				(name == NULL || strcmp(p->conf->port[i].name, name) == 0))
			json_array_append_new(ports, show_port(p, i));
	if (p->uplink != NULL && (name == NULL || strcmp(name, "uplink") == 0))
		json_array_append_new(ports, show_uplink(p));
	if (name != NULL && json_array_size(ports) == 0) {
		json_decref(ports);
		return rpc_fail(call, RPC_CODE_NONE, "port %s: there is none", name);
	}
	call->result = json_pack("{s:o}", "ports", ports);
	return RPC_DONE;
}

static json_t *
show_worker(const struct parts *p, const struct lane *l)
{
	const struct worker_load w = loads_of(p->loads, l->id);
	json_t *rings = json_array();
	const struct source *s;
	unsigned int i, k;

	for (i = 0; i < POLLED_MAX; i++) {
		for (k = 0; k < QUEUE_PAIRS_MAX; k++) {
			s = load_acquire(&l->polled[i].source[k]);
			if (s == NULL)
				continue;
			if (i < GUEST_MAX)
				json_array_append_new(rings,
						json_pack("{s:i, s:i}", "device", (int)i, "pair",
								(int)s->pair));
			else
				json_array_append_new(rings,
						json_pack("{s:s, s:i}", "port", "uplink", "pool",
								(int)(i - GUEST_MAX)));
		}
	}
	return json_pack("{s:i, s:i, s:f, s:f, s:I, s:I, s:o}", "id", (int)l->id, "lcore",
			(int)l->lcore, "busy", w.busy / 1e6, "asleep", w.asleep / 1e6, "frames",
			(json_int_t)w.frames, "cycles_per_frame", (json_int_t)w.cycles, "rings",
			rings);
}

enum rpc_end
rpc_worker_list(struct rpc_call *call)
{
	const struct lanes *all = call->parts->lanes;
	json_t *workers;
	unsigned int i;

	if (!rpc_read(call, "{}"))
		return RPC_FAILED;
	workers = json_array();
	for (i = 0; i < all->n; i++)
		json_array_append_new(workers, show_worker(call->parts, all->lane[i]));
	call->result = json_pack("{s:o}", "workers", workers);
	return RPC_DONE;
}

/* Counters of a port in use, by its name. */
static json_t *
show_stats(const struct parts *p, uint16_t port)
{
	char name[SLOT_NAME_MAX];
	json_t *o = json_pack("{s:s}", "name", slot_name(p->ports, port, name));

	if (port != PORT_UPLINK)
		show_add(o, "device", port);
	show_add(o, "addresses", fdb_count(p->fdb, port));
	show_add_counters(o, p, port);
	return o;
}

/* Returns true if a slot has a name; NULL: any. */
static bool
show_is(const struct parts *p, uint16_t slot, const char *name)
{
	char text[SLOT_NAME_MAX];

	return name == NULL || strcmp(slot_name(p->ports, slot, text), name) == 0;
}

enum rpc_end
rpc_stats(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	const char *name = NULL;
	json_t *ports, *all;
	unsigned int i;

	if (!rpc_read(call, "{s?s}", "port", &name))
		return RPC_FAILED;
	ports = json_array();
	for (i = 0; i < ports_used(p->ports); i++)
		if (port_state(&p->ports->port[i]) == PORT_USED && show_is(p, i, name))
			json_array_append_new(ports, show_stats(p, i));
	if (p->uplink != NULL && show_is(p, PORT_UPLINK, name))
		json_array_append_new(ports, show_stats(p, PORT_UPLINK));
	if (name != NULL && json_array_size(ports) == 0) {
		json_decref(ports);
		return rpc_fail(call, RPC_CODE_NONE, "port %s: no guest of that name is there",
				name);
	}
	all = json_object();
	show_add(all, "workers", p->lanes->n);
	show_add(all, "addresses", fdb_used(p->fdb));
	show_add(all, "devices_stopped", load_relaxed(&p->guests->faults));
	show_add(all, "buffers_free", uplink_buffers_free(p->uplink));
	call->result = json_pack("{s:o, s:o}", "switch", all, "ports", ports);
	return RPC_DONE;
}
