/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Events for the clients of the control socket that asked for them.
 *
 * Main lcore.
 */
#ifndef RPC_EVENTS_H
#define RPC_EVENTS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct rpc;

/* The line for a client that was too slow for some events. The number of those events is a uint64_t. */
#define RPC_EVENTS_LOST \
	"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"events.lost\"," \
	"\"count\":%" PRIu64 "}}"

/* Returns true if somebody wants events. `r` NULL: no. */
bool rpc_has_listeners(const struct rpc *r);

/* Writes a notification to all that want events. Takes it. */
void rpc_tell(struct rpc *r, json_t *event);

/*
 * Sends an event, with its time: `name`, such as "port.added", and what json_pack() makes of the other
 * arguments, an object without braces. Does nothing if nobody wants events.
 */
void rpc_event(struct rpc *r, const char *name, const char *format, ...);

#endif /* RPC_EVENTS_H */
