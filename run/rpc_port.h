/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Settings of a port, for the methods of the control socket. Main lcore. */
#ifndef RPC_PORT_H
#define RPC_PORT_H

#include <jansson.h>

struct conf_port;

/* Returns the keys of a port that are not at their defaults, with their values as text. */
json_t *rpc_port_settings(const struct conf_port *p);

#endif /* RPC_PORT_H */
