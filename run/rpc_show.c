/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Methods that show the switch, its ports and its workers: see rpc_call.h for the contract. */
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/version.h"
#include "conf/conf.h"
#include "conf/conf_port.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/fault_reason.h"
#include "guest/guest.h"
#include "guest/guests.h"
#include "guest/slot.h"
#include "guest/vhost_user.h"
#include "run/change.h"
#include "run/load.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "run/rpc_fdb.h"
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
rpc_show_add(void *to, const char *name, uint64_t value)
{
	json_object_set_new(to, name, json_integer((json_int_t)value));
}

/* Adds counters, and drops by reason. */
static void
rpc_show_add_count(json_t *to, const struct port_count *c)
{
	json_t *drops = json_object();

	stats_show(c, rpc_show_add, to);
	stats_show_drops(c, rpc_show_add, drops);
	json_object_set_new(to, "drops", drops);
}

/* Adds a port's counters, and its drops by reason. */
static void
rpc_show_add_counters(json_t *to, const struct parts *p, uint16_t port)
{
	struct port_count c;

	stats_port(p, port, &c);
	rpc_show_add_count(to, &c);
}

static json_t *
rpc_show_workers_of(const struct parts *p, uint16_t device)
{
	json_t *ids = json_array();
	unsigned int i;

	for (i = 0; i < p->lanes->n; i++)
		if (load_acquire(&p->lanes->lane[i]->polled[device].n) != 0)
			json_array_append_new(ids, json_integer(i));
	return ids;
}

/* Describes the guest in a slot, and says in *why why it does not work, or "". */
static json_t *
rpc_show_guest(const struct parts *p, uint16_t slot, char *why, size_t size)
{
	const struct guest *g = load_acquire(&p->guests->by_slot[slot]);
	const struct port *port = &p->ports->port[slot];
	char name[SLOT_NAME_MAX];
	uint8_t fault = FAULT_NONE;
	json_t *o = json_pack("{s:s, s:i, s:i, s:o, s:i}", "name", slot_name(p->ports, slot, name),
			"device", slot, "vlan", port_vlan(port), "workers",
			rpc_show_workers_of(p, slot), "addresses", (int)fdb_count(p->fdb, slot));

	if (g != NULL) {
		fault = guest_fault_reason(g);
		rpc_show_add(o, "receive_rings", guest_rings(g, RINGS_RX));
		rpc_show_add(o, "transmit_rings", guest_rings(g, RINGS_TX));
	}
	rpc_show_add_counters(o, p, slot);
	if (fault != FAULT_NONE)
		snprintf(why, size, "stopped: %s", fault_name(fault));
	else if (g == NULL || guest_rings(g, RINGS_ALL) == 0)
		snprintf(why, size, "its driver is not up");
	else
		why[0] = '\0';
	json_object_set_new(o, "why", json_string(why));
	return o;
}

/* Says why a port without a guest that works has none. Sets *held if a guest is held up, and then waits no more. */
static const char *
rpc_show_why_absent(const struct parts *p, unsigned int index, bool *held)
{
	const char *why = changes_why(p->changes, index);
	struct connections count;

	if (why[0] != '\0')
		return why;
	*held = *held || !vhost_user_connections(p->guests, index, &count);
	if (*held)
		return "not known: a guest is held up; if that stays, a worker hangs";
	/* QEMU whose guest has other memory chooses features, and then serves the driver by itself. */
	if (count.no_memory != 0)
		return "its memory is not shared: share=on is missing, or its driver is just starting";
	return count.n > 0 ? "a front end is connected; its driver is not up" : "waits for a guest";
}

static json_t *
rpc_show_port(const struct parts *p, unsigned int index, bool *held)
{
	const struct conf_port *c = &p->conf->port[index];
	json_t *guests = json_array();
	unsigned int i, working = 0;
	char why[128] = "";
	const char *reason;

	for (i = 0; i < ports_used(p->ports); i++) {
		if (port_state(&p->ports->port[i]) != PORT_USED || p->ports->port[i].settings != c)
			continue;
		json_array_append_new(guests, rpc_show_guest(p, i, why, sizeof(why)));
		working += why[0] == '\0';
	}
	if (working != 0)
		reason = "";
	else
		reason = why[0] != '\0' ? why : rpc_show_why_absent(p, index, held);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "name", c->name, "kind",
			c->socket[0] != '\0' ? "vhost-user" : "cuse", "state",
			working != 0 ? "up" : "down", "why", reason, "index", (int)index,
			"settings", rpc_port_settings(c), "guests", guests);
}

static json_t *
rpc_show_uplink(const struct parts *p)
{
	const char *link = uplink_link_text(p->uplink);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "name", "uplink", "kind", "dpdk",
			"state", uplink_is_up(p->uplink) ? "up" : "down", "why",
			uplink_is_up(p->uplink) ? "" : "its link is down", "link", link,
			"addresses", (int)fdb_count(p->fdb, PORT_UPLINK));

	rpc_show_add_counters(o, p, PORT_UPLINK);
	return o;
}

enum rpc_end
rpc_port_list(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	const char *name = NULL;
	json_t *ports;
	bool held = false;
	unsigned int i;

	if (!rpc_read(call, "{s?s}", "name", &name))
		return RPC_FAILED;
	ports = json_array();
	for (i = 0; i < p->conf->nports; i++)
		if (conf_port_used(&p->conf->port[i]) &&
				(name == NULL || strcmp(p->conf->port[i].name, name) == 0))
			json_array_append_new(ports, rpc_show_port(p, i, &held));
	if (p->uplink != NULL && (name == NULL || strcmp(name, "uplink") == 0))
		json_array_append_new(ports, rpc_show_uplink(p));
	if (name != NULL && json_array_size(ports) == 0) {
		json_decref(ports);
		return rpc_fail(call, RPC_CODE_NONE, "port %s: there is none", name);
	}
	call->result = json_pack("{s:o}", "ports", ports);
	return RPC_DONE;
}

static json_t *
rpc_show_worker(const struct parts *p, const struct lane *l)
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
		json_array_append_new(workers, rpc_show_worker(call->parts, all->lane[i]));
	call->result = json_pack("{s:o}", "workers", workers);
	return RPC_DONE;
}

/* Counters of a port in use, by its name. */
static json_t *
rpc_show_stats(const struct parts *p, uint16_t port)
{
	char name[SLOT_NAME_MAX];
	json_t *o = json_pack("{s:s}", "name", slot_name(p->ports, port, name));

	if (port != PORT_UPLINK)
		rpc_show_add(o, "device", port);
	rpc_show_add(o, "addresses", fdb_count(p->fdb, port));
	rpc_show_add_counters(o, p, port);
	return o;
}

/* Counters of guests that have left. */
static json_t *
rpc_show_departed(const struct parts *p)
{
	json_t *o = json_object();
	struct port_count c;

	stats_departed(p, &c);
	rpc_show_add_count(o, &c);
	return o;
}

enum rpc_end
rpc_stats(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	unsigned int i, only = PORT_MAX;
	const char *name = NULL;
	json_t *ports, *all;

	if (!rpc_read(call, "{s?s}", "port", &name) || !rpc_read_port(call, name, &only))
		return RPC_FAILED;
	ports = json_array();
	for (i = 0; i < ports_used(p->ports); i++)
		if (port_state(&p->ports->port[i]) == PORT_USED && (only == PORT_MAX || only == i))
			json_array_append_new(ports, rpc_show_stats(p, i));
	if (p->uplink != NULL && (only == PORT_MAX || only == PORT_UPLINK))
		json_array_append_new(ports, rpc_show_stats(p, PORT_UPLINK));
	all = json_object();
	rpc_show_add(all, "workers", p->lanes->n);
	rpc_show_add(all, "addresses", fdb_used(p->fdb));
	rpc_show_add(all, "devices_stopped", load_relaxed(&p->guests->faults));
	rpc_show_add(all, "buffers_free", uplink_buffers_free(p->uplink));
	call->result = json_pack("{s:o, s:o}", "switch", all, "ports", ports);
	if (only == PORT_MAX)
		json_object_set_new(call->result, "departed", rpc_show_departed(p));
	return RPC_DONE;
}
