/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The line that says that the switch can be used. */
#ifndef READY_H
#define READY_H

struct vswitch;

/* Logs that all is served: version, workers, sockets, uplink. Main lcore, after the start. */
void ready_say(const struct vswitch *sw);

#endif /* READY_H */
