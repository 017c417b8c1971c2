/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The statistics for programs: commands of DPDK's telemetry socket, answered in
 * JSON by rte_telemetry's thread (dpdk-telemetry.py shows them to a person).
 *
 *	/vhost_switch/ports		the ports in use
 *	/vhost_switch/port,<name>	counters of a device (its index), or "uplink"
 *	/vhost_switch/switch		workers, addresses learned, devices stopped, devices with a VMDq pool
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

struct parts;

/* Registers the commands. Main lcore, once everything else is made. */
void telemetry_start(const struct parts *p);

/* Waits for an answer under way; there are none from then on. Main lcore. */
void telemetry_stop(void);

#endif /* TELEMETRY_H */
