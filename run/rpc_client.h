/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A client of the control socket: what it has sent that was not handled yet, and what is to be written
 * to it. Nothing here waits for a client, and what is kept for a client is bounded.
 *
 * rpc.c accepts clients and decides whose turn it is. Main lcore.
 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest request: a file of 256 ports with all their keys is a quarter of that. */
#define RPC_REQUEST_MAX (1024 * 1024)

/* Most bytes that are kept for a client that does not read. All ports with all counters are half of that. */
#define RPC_ANSWER_MAX (1024 * 1024)

/* A client is not read further while this much waits to be written to it. */
#define RPC_UNREAD_MAX (64 * 1024)

/* Names clients for what closes their files (guest/apart.h). */
#define RPC_CLIENT_NAME "the control socket"

struct rpc_client {
	int fd; /* -1: free */
	uint64_t serial;
	char *in; /* what was read */
	size_t in_len, in_size;
	size_t looked; /* bytes of `in` that have no line's end */
	char *out;     /* what is to be written */
	size_t out_len;
	uint32_t events;   /* events that epoll looks for */
	bool waits;        /* it waits for an answer that comes later */
	bool ended;        /* it sends no more */
	bool closing;      /* it is closed once all is written */
	bool subscribed;   /* it is told of events */
	uint64_t lost;     /* events that it had no room for */
	unsigned int slow; /* seconds since it has taken anything, while much waited */
};

/* Returns true if the client may send a request now. */
static inline bool
rpc_client_hears(const struct rpc_client *c)
{
	return !c->waits && !c->closing && c->out_len < RPC_UNREAD_MAX;
}

/* Closes its connection. Its place is free then. */
void rpc_client_end(struct rpc_client *c);

/* Reads more, as far as there is room. Returns false if the client has gone. */
bool rpc_client_fill(struct rpc_client *c, bool hung_up);

/* Returns the first whole line that was read, of `len` bytes without its end, or NULL. */
const char *rpc_client_line(struct rpc_client *c, size_t *len);

/* Removes that line. */
void rpc_client_line_done(struct rpc_client *c, size_t len);

/* Writes as much as the client takes. Returns false if it has gone. */
bool rpc_client_flush(struct rpc_client *c);

/* Adds a line to what is to be written, if that is at most `most` bytes then. Returns false if not. */
bool rpc_client_put(struct rpc_client *c, const char *text, size_t most);

/* Adds an answer, and frees it; NULL: nothing. A client for which there is no memory is closed. */
void rpc_client_put_answer(struct rpc_client *c, char *text);

#endif /* RPC_CLIENT_H */
