/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Names of guests in parameters, for the methods of the control socket. Main lcore. */
#ifndef RPC_FDB_H
#define RPC_FDB_H

#include <stdbool.h>

struct rpc_call;

/*
 * Sets *port to the slot of the guest with that name, or to PORT_UPLINK; NULL leaves it alone. Returns
 * false once the call has failed.
 */
bool rpc_read_port(struct rpc_call *call, const char *name, unsigned int *port);

#endif /* RPC_FDB_H */
