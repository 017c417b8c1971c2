/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The control socket: a Unix stream socket where tools ask about the switch and change it, in JSON-RPC
 * 2.0 (jsonrpc.org), one object a line.
 *
 * It is served between other events of the main lcore's loop, a request at a time, and never waits
 * for a client: the number of clients, what they may send, and what is kept for them are bounded.
 *
 * Main lcore.
 */
#ifndef RPC_H
#define RPC_H

#include <stdbool.h>

struct parts;
struct rpc;

/* Clients at a time. Tools stay for milliseconds; those that watch stay. */
#define RPC_CLIENTS 16

/* How long a client may leave what was written to it unread, in seconds, when much waits (RPC_UNREAD_MAX). */
#define RPC_PATIENCE 10

/*
 * Makes the socket that the settings ask for (--control). Returns false, after an error was printed,
 * if they name one that can't be made. *rpc is NULL if none is to be served, or if the default one
 * can't be made, which is logged. `parts` must outlive it.
 */
bool rpc_open(struct rpc **rpc, struct parts *parts);

/* Ends all connections, after what they take at once of their answers, and removes the socket. NULL is allowed. */
void rpc_close(struct rpc *r);

/* Returns the file descriptor that is readable when there is something to do; -1 for NULL. */
int rpc_fd(const struct rpc *r);

/* Does some of what there is to do, in some hundred microseconds. NULL is allowed. */
void rpc_work(struct rpc *r);

/* Ends clients that do not read. Once a second. NULL is allowed. */
void rpc_tick(struct rpc *r);

#endif /* RPC_H */
