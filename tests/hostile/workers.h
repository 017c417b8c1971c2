/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The time that the switch's workers have had a CPU, as the kernel counts it.
 *
 * A worker never sleeps, so it had a CPU whenever it did not wait for one. The kernel counts a wait
 * when the worker gets its CPU back, so differences are exact between two moments at which it had
 * one. Other programs on the machine do not disturb what is measured in this time. Any thread, once
 * the workers are found.
 */
#ifndef HOSTILE_WORKERS_H
#define HOSTILE_WORKERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORKERS_MAX 2

struct workers {
	unsigned n;
	int fd[WORKERS_MAX]; /* /proc/PID/task/TID/schedstat, in the order of their lcores */
};

/* Looks for `n` workers of a process. */
bool workers_find(struct workers *w, pid_t pid, unsigned n);

/* Returns how long a worker has waited for a CPU, in ns. */
uint64_t worker_waited(const struct workers *w, unsigned i);

/* Tells for how long each worker has had a CPU, in ns; the last milliseconds may be missing. */
void workers_ran(const struct workers *w, uint64_t ran[WORKERS_MAX]);

/* Returns true if each worker has run for far longer than a frame waits since workers_ran() gave `before`. */
bool workers_had_time(const struct workers *w, const uint64_t before[WORKERS_MAX]);

void workers_forget(struct workers *w);

/* Monotonic, ns. */
uint64_t now_ns(void);

#endif
