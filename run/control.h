/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the main lcore does while workers run: it sleeps, and wakes for signals,
 * once a second, and when somebody calls wake_main(). It is the one writer of
 * the forwarding table.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct vswitch;

/* Lets SIGINT and SIGTERM wait until control_run() takes them. */
void control_block_signals(void);

/* Runs until SIGINT or SIGTERM: true. False: the system lacks what it needs. */
bool control_run(struct vswitch *sw);

/*
 * Learns what workers have asked for, until so many cycles of the TSC have gone by, one request
 * at least; then it wakes the main lcore for the rest. *moves counts addresses that moved.
 * Main lcore.
 */
void control_learn(struct vswitch *sw, unsigned int *moves, uint64_t cycles);

/* Prints the statistics table; not without memory, or while nobody reads stdout. Main lcore. */
bool control_table(const struct vswitch *sw);

/*
 * Wakes the main lcore, to look after ports, faults and requests. Any thread;
 * costs a system call only when no wake-up is under way.
 */
void wake_main(struct vswitch *sw);

#endif /* CONTROL_H */
