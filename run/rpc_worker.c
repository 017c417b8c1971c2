/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Methods that move rings between workers: see rpc_call.h for the contract. */
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "conf/conf.h"
#include "guest/guest.h"
#include "guest/guests.h"
#include "guest/slot.h"
#include "guest/vhost_user.h"
#include "run/load.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "switch/lanes.h"

/* Most rings that one call moves: each waits for a grace period of some microseconds. */
#define MOVES_MAX 32

static void
rpc_worker_add_moved(json_t *moved, const struct parts *p, uint16_t device, unsigned int worker)
{
	char name[SLOT_NAME_MAX];

	json_array_append_new(moved,
			json_pack("{s:s, s:i, s:i}", "port", slot_name(p->ports, device, name),
					"device", (int)device, "worker", (int)worker));
}

/* Fails a call of which nothing, or only a part, was done. */
static enum rpc_end
rpc_worker_fail_busy(struct rpc_call *call)
{
	return rpc_fail(call, RPC_CODE_BUSY,
			"a guest is being set up, or a worker does not answer: ask again");
}

enum rpc_end
rpc_worker_move(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	struct ring_move m = {.device = SLOT_NONE, .pair = PAIR_ANY};
	bool moved[GUEST_MAX] = {false};
	json_int_t device = SLOT_NONE, worker;
	unsigned int i;
	const char *name;
	json_t *list;

	if (!rpc_read(call, "{s:s, s?I, s:I}", "port", &name, "device", &device, "worker", &worker))
		return RPC_FAILED;
	m.conf_port = conf_find_port(p->conf, name);
	if (m.conf_port == SOCKET_MAX)
		return rpc_fail(call, RPC_CODE_NONE, "port %s: there is none", name);
	if (worker < 0 || worker >= p->lanes->n)
		return rpc_fail(call, RPC_CODE_NONE,
				"worker %" JSON_INTEGER_FORMAT ": there are %u, from 0 on", worker,
				p->lanes->n);
	if (device < 0 || (device >= GUEST_MAX && device != SLOT_NONE))
		return rpc_fail(call, RPC_CODE_NONE,
				"device %" JSON_INTEGER_FORMAT ": there is none", device);
	m.device = device;
	m.worker = worker;
	if (!vhost_user_move(p->guests, &m, moved))
		return rpc_worker_fail_busy(call);
	list = json_array();
	for (i = 0; i < GUEST_MAX; i++)
		if (moved[i])
			rpc_worker_add_moved(list, p, i, worker);
	if (json_array_size(list) == 0) {
		json_decref(list);
		return rpc_fail(call, RPC_CODE_NONE, "port %s: no such guest has rings in use",
				name);
	}
	call->result = json_pack("{s:o}", "moved", list);
	return RPC_DONE;
}

enum rpc_end
rpc_worker_rebalance(struct rpc_call *call)
{
	const struct parts *p = call->parts;
	struct balance *b;
	struct ring_move m;
	json_t *list;
	unsigned int i;
	bool held = false;

	if (!rpc_read(call, "{}"))
		return RPC_FAILED;
	b = loads_weigh(p->loads, p->lanes);
	if (b == NULL)
		return rpc_fail(call, RPC_CODE_REFUSED, "no memory");
	list = json_array();
	for (i = 0; i < MOVES_MAX && !held &&
			loads_next_move(b, p->lanes->n, &m.device, &m.pair, &m.worker);
			i++) {
		bool moved[GUEST_MAX] = {false};

		m.conf_port = SOCKET_MAX;
		held = !vhost_user_move(p->guests, &m, moved);
		if (!held && moved[m.device])
			rpc_worker_add_moved(list, p, m.device, m.worker);
	}
	free(b);
	/* An empty list would say that nothing need be moved. */
	if (held && json_array_size(list) == 0) {
		json_decref(list);
		return rpc_worker_fail_busy(call);
	}
	call->result = json_pack("{s:o}", "moved", list);
	return RPC_DONE;
}
