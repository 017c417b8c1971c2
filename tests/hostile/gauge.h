/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * An honest pair that sends as fast as it can; its rate shows what it gets of the workers.
 *
 * One guest sends short frames to the other. With two workers the other sends as well, so each
 * worker has one sender. A thread of its own posts used buffers again, and notes how many frames
 * the switch has taken and how long its workers had a CPU.
 *
 * The rate is frames for each second of the worker's own CPU time, in windows of WINDOW_NS of it.
 * Moments at which a ring was empty because this program had no CPU are left out: the switch had
 * nothing to do then. For these reasons it matters little what else runs on the machine. The
 * functions below are for the main thread.
 */
#ifndef HOSTILE_GAUGE_H
#define HOSTILE_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu_time.h"

/* In the workers' CPU time. An attack that costs less shows in the neighbours' delay. */
#define GAUGE_WINDOW_NS 10000000

/* The first guest's address by mac_make(); the other's is the next. */
#define GAUGE_MAC 0x03000000

struct gauge;

struct gauge_rate {
	double mean[CPU_TIME_WORKERS]; /* frames/s since gauge_begin(), of the sender on each worker */
	double least[CPU_TIME_WORKERS]; /* the better one of the worst two windows in a row */
	unsigned windows;               /* counted at the worker that had fewer */
};

/* Connects it at `socket`. Each of the two sends one broadcast, from which it is learned. */
struct gauge *gauge_connect(const char *socket, const struct cpu_time *t);

/* Returns the address of guest i: 0 is the first one. */
const uint8_t *gauge_mac(const struct gauge *g, unsigned i);

/* Starts the traffic; for when the switch has learned both addresses. */
bool gauge_go(struct gauge *g);

/* Forgets all windows. */
void gauge_begin(struct gauge *g);

/*
 * Waits until there are so many full windows. Returns false after `timeout_ms`. In any case *r is
 * what has been measured so far.
 */
bool gauge_read(struct gauge *g, unsigned windows, int timeout_ms, struct gauge_rate *r);

/* Until the next call: with `quiet` nobody sends, with `full` the first guest takes nothing from its ring. */
void gauge_rest(struct gauge *g, bool quiet, bool full);

/* Returns true if all buffers of the first guest are used. */
bool gauge_is_full(const struct gauge *g);

/* Hangs up. NULL is fine. */
void gauge_end(struct gauge *g);

#endif
