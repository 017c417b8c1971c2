/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the main lcore does while workers run: it sleeps, and wakes for signals,
 * once a second, and when somebody wakes it (base/wake.h). It is the one writer of
 * the forwarding table.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct parts;

/* Lets SIGINT and SIGTERM wait until control_run() takes them. */
void control_block_signals(void);

/* Runs until SIGINT or SIGTERM: true. False: the system lacks what it needs. */
bool control_run(const struct parts *p);

/*
 * Learns what workers have asked for, until so many cycles of the TSC have gone by, one request
 * at least; then it wakes the main lcore for the rest. *moves counts addresses that moved.
 * Main lcore.
 */
void control_learn(const struct parts *p, unsigned int *moves, uint64_t cycles);

/* Prints the statistics table; not without memory, or while nobody reads stdout. Main lcore. */
bool control_table(const struct parts *p);

#endif /* CONTROL_H */
