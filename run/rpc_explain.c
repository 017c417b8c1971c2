/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The method that explains where a frame would go: see rpc_call.h for the contract. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mac.h"
#include "conf/conf.h"
#include "conf/conf_port.h"
#include "guest/slot.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "run/rpc_fdb.h"
#include "switch/explain.h"
#include "switch/lane.h"
#include "uplink/link.h"

/* A local address, which is used for a guest that has none yet. */
static const struct rte_ether_addr made_up = {{0x02, 0x00, 0x00, 0x00, 0x00, 0xfe}};

/* Room for a step: three names and a sentence. */
#define STEP_MAX 384

__attribute__((format(printf, 2, 3))) static void
rpc_explain_add(json_t *steps, const char *format, ...)
{
	char text[STEP_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(steps, json_string(text));
}

/* Returns the sentence that the documentation has for a reason. */
static const char *
rpc_explain_sentence(enum drop_reason reason)
{
/* clang-tidy misses a comma in sentences of two strings: NOLINTBEGIN */
#define SENTENCE(name, text, doc) [DROP_##name] = doc,
	static const char *const sentence[] = {DROP_REASONS(SENTENCE)};
#undef SENTENCE
	/* NOLINTEND */

	return sentence[reason];
}

/* Chooses a source address that the port has, or probably has. */
static struct rte_ether_addr
rpc_explain_source(const struct parts *p, unsigned int port)
{
	const struct conf_port *c = p->ports->port[port].settings;
	struct fdb_entry e;
	uint32_t at = 0;

	while (fdb_next(p->fdb, &at, &e))
		if (e.port == port)
			return fdb_mac(e.key);
	return port != PORT_UPLINK && c != NULL && c->nmacs != 0 ? c->mac[0] : made_up;
}

static bool
rpc_explain_read_mac(struct rpc_call *call, const char *key, const char *text,
		struct rte_ether_addr *mac)
{
	if (mac_parse(text, mac))
		return true;
	rpc_fail(call, RPC_CODE_PARAMS, "%s %s: must be an address, as in 02:00:00:00:00:01", key,
			text);
	return false;
}

/* Says what the table has of an address. */
static void
rpc_explain_entry(json_t *steps, const struct parts *p, const char *what, const struct fdb_entry *e,
		const struct rte_ether_addr *mac)
{
	char name[SLOT_NAME_MAX];

	if (rte_is_multicast_ether_addr(mac))
		rpc_explain_add(steps, "%s " MAC_FORMAT ": a group address", what, MAC_BYTES(*mac));
	else if (e->key == 0)
		rpc_explain_add(steps, "%s " MAC_FORMAT ": not in the table of addresses", what,
				MAC_BYTES(*mac));
	else if (e->is_static)
		rpc_explain_add(steps, "%s " MAC_FORMAT ": in the table at %s, by fdb.add", what,
				MAC_BYTES(*mac), slot_name(p->ports, e->port, name));
	else
		rpc_explain_add(steps, "%s " MAC_FORMAT ": in the table at %s, used %u s ago", what,
				MAC_BYTES(*mac), slot_name(p->ports, e->port, name),
				p->fdb->clock - e->seen);
}

/* Says where the frame goes, and returns that in a word. */
static const char *
rpc_explain_verdict(json_t *steps, const struct parts *p, const struct explanation *x)
{
	char name[SLOT_NAME_MAX];
	unsigned int i;

	if (x->reason != DROP_NONE) {
		rpc_explain_add(steps, "it is dropped: %s", rpc_explain_sentence(x->reason));
		return "dropped";
	}
	if (x->flooded || x->n > 1)
		rpc_explain_add(steps, "it goes to all %u ports that may get it", x->n);
	else
		rpc_explain_add(steps, "it goes to %s", slot_name(p->ports, x->port[0], name));
	if (x->tagged)
		rpc_explain_add(steps,
				"it leaves with the tag of VLAN %u, by which the NIC sorts it",
				x->tci & VLAN_ID);
	for (i = 0; i < x->n; i++)
		if (x->port[i] == PORT_UPLINK && p->uplink != NULL && !uplink_is_up(p->uplink))
			rpc_explain_add(steps, "the uplink drops it at present: %s",
					rpc_explain_sentence(DROP_LINK_DOWN));
	if (x->flooded || x->n > 1)
		return "flooded";
	return x->port[0] == PORT_UPLINK ? "uplink" : "delivered";
}

enum rpc_end
rpc_explain(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	const struct shared shared = {.conf = p->conf, .ports = p->ports, .fdb = p->fdb};
	const char *from, *to, *source = NULL, *verdict;
	char name[SLOT_NAME_MAX];
	struct question q = {0};
	unsigned int port = PORT_MAX, i;
	struct explanation x;
	json_t *steps, *ports;
	json_int_t vlan = 0;

	if (!rpc_read(call, "{s:s, s:s, s?I, s?s}", "from", &from, "to", &to, "vlan", &vlan,
			    "source", &source) ||
			!rpc_read_port(call, from, &port) ||
			!rpc_explain_read_mac(call, "to", to, &q.to))
		return RPC_FAILED;
	if (vlan < 0 || vlan > VLAN_LAST)
		return rpc_fail(call, RPC_CODE_PARAMS,
				"vlan %" JSON_INTEGER_FORMAT
				": must be from 1 to %d, or 0 for none",
				vlan, VLAN_LAST);
	q.from = port;
	q.vlan = vlan;
	q.source = rpc_explain_source(p, port);
	if (source != NULL && !rpc_explain_read_mac(call, "source", source, &q.source))
		return RPC_FAILED;
	if (!explain_frame(&shared, &q, &x))
		return rpc_fail(call, RPC_CODE_REFUSED, "no memory");
	steps = json_array();
	ports = json_array();
	rpc_explain_entry(steps, p, "from", &x.source, &q.source);
	rpc_explain_entry(steps, p, "to", &x.to, &q.to);
	verdict = rpc_explain_verdict(steps, p, &x);
	for (i = 0; x.reason == DROP_NONE && i < x.n; i++)
		json_array_append_new(ports, json_string(slot_name(p->ports, x.port[i], name)));
	call->result = json_pack("{s:s, s:s, s:o, s:o}", "verdict", verdict, "reason",
			x.reason == DROP_NONE ? "" : drop_name(x.reason), "ports", ports, "steps",
			steps);
	return RPC_DONE;
}
