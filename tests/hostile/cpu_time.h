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
#ifndef HOSTILE_CPU_TIME_H
#define HOSTILE_CPU_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CPU_TIME_WORKERS 2

struct cpu_time {
	unsigned n;               /* workers */
	int fd[CPU_TIME_WORKERS]; /* /proc/PID/task/TID/schedstat, in the order of their lcores */
};

/* Looks for `n` workers of a process. */
bool cpu_time_find(struct cpu_time *t, pid_t pid, unsigned n);

/* Returns how long a worker has waited for a CPU, in ns. */
uint64_t cpu_time_waited(const struct cpu_time *t, unsigned i);

/* Tells for how long each worker has had a CPU, in ns; the last milliseconds may be missing. */
void cpu_time_ran(const struct cpu_time *t, uint64_t ran[CPU_TIME_WORKERS]);

/* Returns true if each worker has run for far longer than a frame waits since cpu_time_ran() gave `before`. */
bool cpu_time_enough(const struct cpu_time *t, const uint64_t before[CPU_TIME_WORKERS]);

void cpu_time_forget(struct cpu_time *t);

/* Monotonic, ns. */
uint64_t now_ns(void);

#endif
