/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Limits that size arrays. Constants; any thread. */
#ifndef LIMITS_H
#define LIMITS_H

/*
 * Devices at a time. librte_vhost serves 1024; each costs every worker 300
 * bytes of counters, and a poll. Tags --vlan-base + index stay below 4095.
 */
#define GUEST_MAX 256

/* Port numbers: a guest's is its device index. */
#define PORT_UPLINK GUEST_MAX
#define PORT_MAX (GUEST_MAX + 1)

/* Queue pairs of a device: a receive and a transmit ring each. Masks of rings have 32 bits. */
#define QUEUE_PAIRS_MAX 16

/* Worker lcores; more than guests can keep busy. */
#define WORKER_MAX 64

#endif /* LIMITS_H */
