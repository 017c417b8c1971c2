/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Adds up what workers count (switch/count.h), and prints it as a table.
 *
 * Main lcore, except where it says otherwise.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>
#include <stdio.h>

#include "base/limits.h"
#include "switch/count.h"

struct parts;

/* Counters that are not in lanes. Owned by the main lcore, except where it says otherwise. */
struct stats {
	struct port_count departed;          /* counters of guests that left */
	struct port_count retired[PORT_MAX]; /* by slot: counters of former tenants */
	struct port_count outside[PORT_MAX]; /* by slot: counted by librte_vhost's thread */
};

/* Adds up what was counted for a port. Any thread; while frames move the sum is a few frames old. */
void stats_port(const struct parts *p, uint16_t port, struct port_count *sum);

/* Adds up what was counted for guests that have left. Any thread; a guest that is just leaving may be missing. */
void stats_departed(const struct parts *p, struct port_count *sum);

/*
 * Calls `add` for each counter of a port with its name for programs, and with `to`; in the second
 * function, for each drop reason. Any thread.
 */
typedef void (*stats_add_fn)(void *to, const char *name, uint64_t value);
void stats_show(const struct port_count *c, stats_add_fn add, void *to);
void stats_show_drops(const struct port_count *c, stats_add_fn add, void *to);

/*
 * Adds the counters of a port whose guest has left to stats->departed, so that the next tenant
 * starts at zero. The workers' own counters are not changed: their values so far are kept in
 * stats->retired. Main lcore, a grace period after the port was withdrawn.
 */
void stats_retire(const struct parts *p, uint16_t port);

/* Logs the counters of a port whose guest has left. Main lcore, before stats_retire(). */
void stats_log_departed(const struct parts *p, uint16_t port);

/* Prints the table: devices, uplink, departed, total, then drop reasons. */
void stats_print(const struct parts *p, FILE *out);

#endif /* STATS_H */
