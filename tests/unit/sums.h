/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The ways to add up bytes (frame/sum.h). Tests that depend on them run once with each. */
#ifndef SUMS_H
#define SUMS_H

#include "frame/sum.h"
#include "unit.h"

/* Returns true if this CPU has the instructions of a way, whatever EAL's limit is. */
bool sums_cpu_has(enum sum_way way);

/* Lifts EAL's limit and takes a way. Returns false if this CPU lacks it. */
bool sums_use(enum sum_way way);

/* Runs tests once in each way that this CPU has. Returns how many failed. */
#define sums_run(tests) sums_run_each((tests), sizeof(tests) / sizeof((tests)[0]))
int sums_run_each(const struct CMUnitTest *tests, size_t n);

#endif /* SUMS_H */
