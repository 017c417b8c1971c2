/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Gives a port's socket to librte_vhost: what its guests are offered, its owner, its mode.
 *
 * Any thread, one at a time (the mode is set by umask(2), which is the process's). librte_vhost takes
 * a lock of its own for this; see vhost_user.c.
 */
#ifndef GUEST_SERVE_H
#define GUEST_SERVE_H

#include <stdbool.h>

struct conf_port;
struct rte_vhost_device_ops;

/*
 * Serves (role=client: connects to) the socket of a resolved port. A stale socket file is replaced.
 * Returns false, after an error was printed, if that fails; nothing is served then.
 */
bool serve_port(const struct conf_port *p, const struct rte_vhost_device_ops *ops);

/* Serves a port as serve_port() does, by another path than its own, whatever owner and mode it names. */
bool
serve_path(const struct conf_port *p, const char *path, const struct rte_vhost_device_ops *ops);

#endif /* GUEST_SERVE_H */
