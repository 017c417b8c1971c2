/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Methods for the table of addresses: see rpc_call.h for the contract. */
#include <stdio.h>
#include <string.h>

#include "base/mac.h"
#include "guest/slot.h"
#include "run/addresses.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "run/rpc_fdb.h"
#include "run/statics.h"
#include "switch/fdb.h"
#include "switch/port.h"

/* Entries of an answer: some 100 bytes each. */
#define PAGE_MAX 1000

bool
rpc_read_port(struct rpc_call *call, const char *name, unsigned int *port)
{
	const struct parts *p = call->parts;
	unsigned int slot;

	if (name == NULL)
		return true;
	if (strcmp(name, "uplink") == 0 && p->uplink != NULL) {
		*port = PORT_UPLINK;
		return true;
	}
	slot = slot_find(p->ports, name);
	if (slot != GUEST_MAX) {
		*port = slot;
		return true;
	}
	rpc_fail(call, RPC_CODE_NONE,
			"port %s: no guest of that name is there: vhost-switch-ctl show lists guests",
			name);
	return false;
}

static bool
rpc_fdb_read_mac(struct rpc_call *call, const char *text, uint64_t *key)
{
	struct rte_ether_addr mac;

	if (!mac_parse(text, &mac) || !rte_is_valid_assigned_ether_addr(&mac)) {
		rpc_fail(call, RPC_CODE_PARAMS,
				"mac %s: must be a unicast address, as in "
				"02:00:00:00:00:01",
				text);
		return false;
	}
	*key = fdb_key(&mac, FDB_DOMAIN);
	return true;
}

static json_t *
rpc_fdb_show(const struct parts *p, const struct fdb_entry *e)
{
	static const char *const filters[] = {
			[FILTER_NONE] = "none", [FILTER_PORT] = "port", [FILTER_POOL] = "pool"};
	const struct rte_ether_addr mac = fdb_mac(e->key);
	char text[MAC_TEXT_MAX], name[SLOT_NAME_MAX];
	json_t *o;

	snprintf(text, sizeof(text), MAC_FORMAT, MAC_BYTES(mac));
	o = json_pack("{s:s, s:s, s:i, s:b, s:s}", "mac", text, "port",
			slot_name(p->ports, e->port, name), "age", (int)(p->fdb->clock - e->seen),
			"static", e->is_static, "filter", filters[e->filter]);
	if (e->port != PORT_UPLINK)
		json_object_set_new(o, "device", json_integer(e->port));
	return o;
}

/*
 * Adds static addresses whose guests are away. They follow the table's entries, so their positions (*at)
 * begin at its length. Returns how many were added.
 */
static unsigned int
rpc_fdb_show_waiting(json_t *entries, const struct parts *p, uint32_t *at, unsigned int most)
{
	const struct statics *s = p->statics;
	const struct static_address *a;
	struct rte_ether_addr mac;
	char text[MAC_TEXT_MAX];
	unsigned int n = 0;

	while (n < most && *at - p->fdb->positions < s->n) {
		a = &s->list[(*at)++ - p->fdb->positions];
		if (!a->waits)
			continue;
		mac = fdb_mac(a->key);
		snprintf(text, sizeof(text), MAC_FORMAT, MAC_BYTES(mac));
		json_array_append_new(entries,
				json_pack("{s:s, s:s, s:i, s:b, s:s, s:b}", "mac", text, "port",
						a->guest, "age", 0, "static", true, "filter",
						"none", "waits", true));
		n++;
	}
	return n;
}

enum rpc_end
rpc_fdb_list(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	unsigned int port = PORT_MAX, n = 0;
	json_int_t from = 0, limit = PAGE_MAX;
	const char *name = NULL;
	struct fdb_entry e;
	json_t *entries;
	uint32_t at;

	if (!rpc_read(call, "{s?s, s?I, s?I}", "port", &name, "from", &from, "limit", &limit) ||
			!rpc_read_port(call, name, &port))
		return RPC_FAILED;
	if (from < 0 || from > UINT32_MAX || limit < 1 || limit > PAGE_MAX)
		return rpc_fail(call, RPC_CODE_PARAMS,
				"params: from must be what `next` said, limit from 1 to %d",
				PAGE_MAX);
	entries = json_array();
	at = from;
	while (n < (unsigned int)limit && fdb_next(p->fdb, &at, &e)) {
		if (port != PORT_MAX && e.port != port)
			continue;
		json_array_append_new(entries, rpc_fdb_show(p, &e));
		n++;
	}
	if (name == NULL && at >= p->fdb->positions)
		n += rpc_fdb_show_waiting(entries, p, &at, limit - n);
	call->result = json_pack("{s:o, s:o}", "entries", entries, "next",
			n == (unsigned int)limit ? json_integer(at) : json_null());
	return RPC_DONE;
}

enum rpc_end
rpc_fdb_add(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	const char *mac, *name;
	unsigned int port = PORT_MAX;
	uint64_t key;

	if (!rpc_read(call, "{s:s, s:s}", "mac", &mac, "port", &name) ||
			!rpc_fdb_read_mac(call, mac, &key) || !rpc_read_port(call, name, &port))
		return RPC_FAILED;
	if (!addresses_allowed(p, key, port))
		return rpc_fail(call, RPC_CODE_REFUSED,
				"mac %s: mac= of %s, or of another port, does not allow it", mac,
				name);
	if (!addresses_fix(p, key, port))
		return rpc_fail(call, RPC_CODE_REFUSED,
				"port %s: has %u addresses, all it may have", name,
				fdb_share(port));
	return RPC_DONE;
}

/* The addresses that fdb.del and fdb.flush forget. */
struct fdb_wanted {
	uint64_t key;      /* 0: any address */
	unsigned int port; /* PORT_MAX: any port's */
};

static bool
rpc_fdb_is_wanted(void *arg, uint64_t key, uint16_t port)
{
	const struct fdb_wanted *w = arg;

	return (w->key == 0 || w->key == key) && (w->port == PORT_MAX || w->port == port);
}

static enum rpc_end
rpc_fdb_forget(struct rpc_call *call, const struct fdb_wanted *w)
{
	uint32_t n = addresses_forget_if(call->parts, rpc_fdb_is_wanted, (void *)(uintptr_t)w);

	n += addresses_forget_static(call->parts, w->key, w->port);
	call->result = json_pack("{s:i}", "flushed", (int)n);
	return RPC_DONE;
}

enum rpc_end
rpc_fdb_del(struct rpc_call *call)
{
	struct fdb_wanted w = {.port = PORT_MAX};
	const char *mac;

	if (!rpc_read(call, "{s:s}", "mac", &mac) || !rpc_fdb_read_mac(call, mac, &w.key))
		return RPC_FAILED;
	rpc_fdb_forget(call, &w);
	if (json_integer_value(json_object_get(call->result, "flushed")) != 0)
		return RPC_DONE;
	json_decref(call->result);
	call->result = NULL;
	return rpc_fail(call, RPC_CODE_NONE, "mac %s: is not in the table", mac);
}

enum rpc_end
rpc_fdb_flush(struct rpc_call *call)
{
	struct fdb_wanted w = {.port = PORT_MAX};
	const char *name = NULL;

	if (!rpc_read(call, "{s?s}", "port", &name) || !rpc_read_port(call, name, &w.port))
		return RPC_FAILED;
	return rpc_fdb_forget(call, &w);
}
