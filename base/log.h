/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* How the switch speaks to its user: a log by rte_log, and last words. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include <rte_log.h>

/*
 * Log types: the switch's own, and the one of the line that test suites look
 * for (VHOST_DATA: (0) MAC_ADDRESS ...). Set up by log_init() before any other use.
 */
extern int log_switch, log_data;

/* One line in the log, on stderr. Any thread, never on the fast path. */
#define say(level, ...) rte_log(RTE_LOG_##level, log_switch, "vhost-switch: " __VA_ARGS__)

/*
 * One line on stderr, the last one: why the switch can't start, with the remedy.
 * Adds the program's name and the newline. Before and after EAL is there.
 */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

/* Makes the log types, and quietens librte_vhost. Before EAL's start. */
bool log_init(void);

/*
 * Lines a second that stay in the log for good, and how many more may come at once. They
 * count for the switch, for its line of registered addresses, and for libraries, each for warnings and
 * the rest: 300 lines a second at most are some tens of kB. The line of registered addresses
 * comes once in a guest's life, and test suites wait for it: all devices may come and go
 * sixteen times at once before one is left out.
 */
#define LOG_RATE 50u
#define LOG_BURST 1000u
#define LOG_BURST_DATA 4096u

/*
 * From here on no thread waits for who reads the log (output.h), and its lines are limited; the
 * rest is summed up once a second by log_tick(). False: no memory or no thread. Main
 * lcore, after EAL's start.
 */
bool log_start(void);
void log_tick(void);

#endif /* LOG_H */
