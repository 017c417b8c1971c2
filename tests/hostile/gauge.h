/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * An honest pair that sends as fast as it can, and what it gets of the workers.
 *
 * One guest sends short frames to the other, and with two workers the other sends as well: so
 * there is one sender on each worker. A thread of its own shows used buffers again, and notes how
 * many frames the switch has taken and how long its workers had a CPU.
 *
 * The rate is frames for each second of the worker's own CPU time, in windows of WINDOW_NS of
 * it. Moments at which a ring was empty, because this program was without a CPU, are
 * left out: there the switch had nothing to do. So what else runs on the machine matters
 * little.
 * The functions below are for the main thread.
 */
#ifndef HOSTILE_GAUGE_H
#define HOSTILE_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "workers.h"

/* Of the workers' CPU time. An attack that costs less is seen by the neighbours' delay. */
#define GAUGE_WINDOW_NS 10000000

/* The first guest's address by mac_make(); the other's is the next. */
#define GAUGE_MAC 0x03000000

struct gauge;

struct gauge_rate {
	double mean[WORKERS_MAX];  /* frames/s since gauge_begin(), of the sender on each worker */
	double least[WORKERS_MAX]; /* in the worst two windows in a row, the better one */
	unsigned windows;          /* of the worker that had fewer */
};

/* Connects it at `socket`; each of the two sends one broadcast, so that it is learned. */
struct gauge *gauge_connect(const char *socket, const struct workers *w);

/* The first is 0. */
const uint8_t *gauge_mac(const struct gauge *g, unsigned i);

/* Begins, once the switch has both addresses. */
bool gauge_go(struct gauge *g);

/* Forgets all windows. */
void gauge_begin(struct gauge *g);

/*
 * Waits until there are so many full windows. False after `timeout_ms`; *r is what there is
 * in any case.
 */
bool gauge_read(struct gauge *g, unsigned windows, int timeout_ms, struct gauge_rate *r);

/* `quiet`: nobody sends any more. `full`: the first guest takes nothing. Until the next call. */
void gauge_rest(struct gauge *g, bool quiet, bool full);

/* Returns true if all buffers of the first guest are used. */
bool gauge_is_full(const struct gauge *g);

/* Hangs up. NULL is fine. */
void gauge_end(struct gauge *g);

#endif
