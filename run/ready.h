/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The line that says that the switch can be used. */
#ifndef READY_H
#define READY_H

struct conf;

/* Logs that the switch is ready: version, workers, sockets, uplink. Main lcore, after the start. */
void ready_say(const struct conf *c, unsigned int workers);

#endif /* READY_H */
