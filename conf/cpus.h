/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The CPUs that this process has, or could have, and the ones that EAL is told to use.
 * A container or a cpuset may lack any of them, CPU 0 as well. Main lcore, before EAL starts.
 */
#ifndef CPUS_H
#define CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

struct cpus {
	cpu_set_t allowed; /* where the process may run now */
	cpu_set_t usable;  /* where it may be moved to: all CPUs of its cpuset */
};

/*
 * Returns false if the kernel does not tell, as on a machine with more CPUs than cpu_set_t holds.
 */
bool cpus_find(struct cpus *c);

/*
 * Reads EAL's list of lcores, as -l and --lcores take it. Returns the first CPU in it that is not
 * in `usable`, or -1 if there is none, or if the text is no such list (then EAL prints an error).
 */
int cpus_missing(const char *lcores, const cpu_set_t *usable);

/* Writes a set as text, as in "0-3,6". */
void cpus_text(const cpu_set_t *set, char *text, size_t size);

/* Writes the option with which a switch of one worker starts on these CPUs. */
void cpus_example(const cpu_set_t *set, char *text, size_t size);

#endif /* CPUS_H */
