/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The line that says that the switch can be used, which scripts and tests wait for: version, workers, and what is
 * served. A DPDK port that nobody has chosen is named before it, as -p was most likely forgotten.
 *
 * No state: it reads the settings as resolved, and asks DPDK for names. Main lcore, once, when workers run and sockets
 * are served.
 */
#ifndef READY_H
#define READY_H

struct conf;

/* Logs that line; `workers`: their number. */
void ready_say(const struct conf *c, unsigned int workers);

#endif /* READY_H */
