/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Adding up what workers count (switch/count.h), and the table that it is printed in.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>
#include <stdio.h>

#include "base/limits.h"
#include "switch/count.h"

struct parts;

/* What lanes don't count themselves. Main lcore's, except where it says otherwise. */
struct stats {
	struct port_count departed; /* of guests that left */
	struct port_count
			retired[PORT_MAX]; /* by slot: what was counted there for former tenants */
	struct port_count outside[PORT_MAX]; /* by slot: counted by librte_vhost's thread */
};

/*
 * Adds up what the workers counted for a port. Main lcore, or any thread while
 * the workers rest.
 */
void stats_port(const struct parts *p, uint16_t port, struct port_count *sum);

/*
 * Puts the counters of a port whose guest has left into stats->departed, so that
 * the next tenant starts at zero. The workers' own are not touched: what went
 * before is remembered in stats->retired. Main lcore, a grace period after the port
 * was withdrawn.
 */
void stats_retire(const struct parts *p, uint16_t port);

/* Logs the counters of a port whose guest has left. Main lcore, before stats_retire(). */
void stats_log_departed(const struct parts *p, uint16_t port);

/* Prints the table: devices, uplink, departed, total, then drop reasons. */
void stats_print(const struct parts *p, FILE *out);

#endif /* STATS_H */
