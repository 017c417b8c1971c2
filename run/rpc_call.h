/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A call of a method by a client of the control socket, and the table of methods.
 *
 * A method reads call->params, sets call->result, and returns. One that has to wait keeps a ticket,
 * and answers later; its client may have gone by then.
 *
 * Main lcore.
 */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct parts;
struct rpc;

/* The version of this interface. As long as it stays the same, methods, keys and events are only added. */
#define RPC_API 1

/* Codes of errors: those of JSON-RPC 2.0 section 5.1, and the switch's own. */
enum rpc_code {
	RPC_CODE_PARSE = -32700,
	RPC_CODE_REQUEST = -32600,
	RPC_CODE_METHOD = -32601,
	RPC_CODE_PARAMS = -32602,
	RPC_CODE_REFUSED = 1, /* what is asked for can't be done */
	RPC_CODE_NONE = 2,    /* there is no such port, address or worker */
	RPC_CODE_BUSY = 3,    /* not now: another change is being made, or something is held up */
};

/* Room for an error: the longest path or list of keys, and a sentence. */
#define RPC_ERROR_MAX 768

/* Bytes of an id that is a string: it comes back with the answer, and leaves the room there to others. */
#define RPC_ID_MAX 256

/* Whom to answer later. */
struct rpc_ticket {
	struct rpc *rpc;
	uint16_t client;
	uint64_t serial; /* number of the connection: another client may have the place by now */
	json_t *id;      /* id of the request; NULL: it wants no answer */
};

struct rpc_call {
	struct parts *parts;
	struct rpc_ticket ticket;
	json_t *params; /* an object */
	json_t *result; /* set by the method; NULL: an empty object */
	int code;
	char error[RPC_ERROR_MAX];
};

enum rpc_end {
	RPC_DONE,
	RPC_FAILED, /* call->code and call->error say why */
	RPC_LATER,  /* rpc_answer() will be called with the ticket */
};

/*
 * X(function's name, method's name, parameters, sentence for the documentation)
 *
 * To add a method, add a line here, and rpc_NAME() to the file of its kind.
 */
#define RPC_METHODS(X) \
	X(hello, "hello", "", \
			"the version of this interface, the switch's version, its process, and all " \
			"methods") \
	X(port_list, "port.list", "[name]", \
			"ports: settings, state and, if it is down, why; their guests, with counters") \
	X(port_add, "port.add", "name, socket, KEY...", "adds a port, with the keys of --port") \
	X(port_set, "port.set", "name, KEY...", \
			"changes keys of a port; null sets a key to its default. Answers with the ports " \
			"whose guests have to connect again") \
	X(port_del, "port.del", "name", "ends a port's guests and removes it") \
	X(fdb_list, "fdb.list", "[port], [from], [limit]", \
			"learned addresses, a page at a time: ask again with `from` as `next` says") \
	X(fdb_add, "fdb.add", "mac, port", \
			"puts an address at a guest or the uplink, where it stays until it is deleted, even " \
			"if the guest leaves and comes back") \
	X(fdb_del, "fdb.del", "mac", "forgets an address") \
	X(fdb_flush, "fdb.flush", "[port]", "forgets all addresses, or a port's") \
	X(explain, "explain", "from, to, [vlan], [source]", \
			"where a frame of a port to an address would go, and why") \
	X(worker_list, "worker.list", "", \
			"workers: their lcores, their loads in the last second, and the rings that they poll") \
	X(worker_move, "worker.move", "port, [device], worker", \
			"has a worker poll the rings of a port's guests, or of one of them") \
	X(worker_rebalance, "worker.rebalance", "", \
			"moves rings off the busiest worker, by the loads of the last second") \
	X(stats, "stats", "[port]", \
			"counters of the switch, and of all ports or one; without port also of guests that " \
			"have left") \
	X(config_check, "config.check", "[text]", "what config.apply would change") \
	X(config_apply, "config.apply", "[text]", \
			"changes ports to what the command line and a file say; without text: the file of " \
			"--config") \
	X(config_save, "config.save", "", "the present settings as a file") \
	X(log_set, "log.set", "level", "the least level that is logged: error to debug") \
	X(events_subscribe, "events.subscribe", "", \
			"from now on, a line for each event: ports, guests, addresses, the link")

#define RPC_DECLARE(function, name, params, help) \
	enum rpc_end rpc_##function(struct rpc_call *call);
RPC_METHODS(RPC_DECLARE)
#undef RPC_DECLARE

/* Fails a call. Returns RPC_FAILED. */
__attribute__((format(printf, 3, 4))) enum rpc_end
rpc_fail(struct rpc_call *call, int code, const char *format, ...);

/*
 * Reads parameters as jansson unpacks them: any that the format does not name is an error. Returns false
 * once the call has failed.
 */
bool rpc_read(struct rpc_call *call, const char *format, ...);

/* Answers a call that waited: with `result`, which this takes, or an error if that is NULL. */
void rpc_answer(struct rpc_ticket *ticket, json_t *result, int code, const char *error);

/*
 * Handles one request, of one line. *text becomes the answer's text, to be freed; NULL: there is none. Returns false
 * if the answer comes later.
 */
bool rpc_request(struct parts *parts, const struct rpc_ticket *ticket, const char *line, size_t len,
		char **text);

/* Returns the text of an answer, to be freed, or NULL. Takes `result`. */
char *rpc_text(json_t *id, json_t *result, int code, const char *error);

/* Returns the names of all methods. */
json_t *rpc_method_names(void);

/* Makes the client of a ticket one that is told of events. */
void rpc_subscribe(const struct rpc_ticket *ticket);

#endif /* RPC_CALL_H */
