/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The statistics for programs: commands of DPDK's telemetry socket, which rte_telemetry's thread
 * answers in JSON (dpdk-telemetry.py shows them).
 *
 *	/vhost_switch/ports		the ports in use
 *	/vhost_switch/port,<name>	counters of a device (its index), or "uplink"
 *	/vhost_switch/departed		counters of guests that have left
 *	/vhost_switch/switch		workers, addresses learned, devices stopped, devices with a VMDq pool
 *	/vhost_switch/workers		what each worker did in the last second
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

struct parts;

/* Registers the commands. Main lcore, after everything else was made. */
void telemetry_start(const struct parts *p);

/* Between these two calls no answer is in progress, so data that answers read may be replaced. Main lcore. */
void telemetry_pause(void);
void telemetry_resume(void);

/* Waits for an answer in progress; there are none after that. Main lcore. */
void telemetry_stop(void);

#endif /* TELEMETRY_H */
