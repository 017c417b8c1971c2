/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The main lcore's loop while workers run: it sleeps, and wakes for signals, once a second, when it
 * has to look at the uplink's link, and when another thread wakes it (base/wake.h). It is the only
 * writer of the forwarding table.
 *
 * Main lcore.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct parts;

/* Blocks SIGINT, SIGTERM and SIGHUP until control_run() takes them, and ignores SIGPIPE. */
void control_block_signals(void);

/*
 * Runs until SIGINT or SIGTERM, and returns true. Returns false if the system lacks what it needs.
 */
bool control_run(const struct parts *p);

/*
 * Learns what workers have asked for, at least one request, until so many cycles of the TSC have
 * passed; then it wakes the main lcore for the rest. *moves counts addresses that moved.
 */
void control_learn(const struct parts *p, unsigned int *moves, uint64_t cycles);

/*
 * Frees n slots whose guests have left, and whose addresses are forgotten. Returns false, and frees none, if a
 * worker has not finished its burst in the time that the main lcore has for one thing.
 */
bool control_free_slots(const struct parts *p, const uint16_t *slot, unsigned int n);

/* Prints the statistics table. Returns false without memory, or while nobody reads stdout. */
bool control_table(const struct parts *p);

#endif /* CONTROL_H */
