/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* How the switch speaks to its user: a log by rte_log, and last words. Any thread, if nothing else is said. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <rte_log.h>

/*
 * Log types: the switch's own, and the one of the line that test suites look
 * for (VHOST_DATA: (0) MAC_ADDRESS ...). Set up by log_init() before any other use.
 */
extern int log_switch, log_data;

/* One line in the log, on stderr. Any thread, never on the fast path. */
#define say(level, ...) rte_log(RTE_LOG_##level, log_switch, "vhost-switch: " __VA_ARGS__)

/*
 * Prints the last line on stderr: why the switch can't start, with the remedy. Adds the program's
 * name and the newline. May be called before and after EAL's start.
 */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

/* Where a thread's errors go, if not to stderr. */
struct listener {
	char *text; /* NULL: to stderr */
	size_t size;
};

/*
 * From now on the calling thread's say_error() writes there, cut to fit, and not to stderr: a client of
 * the control socket gets the error. The first error is kept, as it is the reason for those that
 * follow. Returns the previous listener.
 */
struct listener say_error_to(struct listener next);

/* Does the same for one text. NULL: errors go to stderr again. */
void say_error_into(char *text, size_t size);

/*
 * Makes the log types, and limits what librte_vhost logs. Called before EAL's start. Returns false
 * if there is no memory.
 */
bool log_init(void);

/*
 * How many lines a second are logged in the long run, and how many more may come at once. There is
 * such a limit for the switch, for its line of registered addresses, and for libraries, each for
 * warnings and for the rest: 300 lines a second at most are some tens of kB. The line of registered
 * addresses comes once in a guest's life, and test suites wait for it: all devices may connect and
 * disconnect sixteen times at once before one is left out.
 */
#define LOG_RATE 50u
#define LOG_BURST 1000u
#define LOG_BURST_DATA 4096u

/*
 * After this no thread waits for the reader of the log (output.h), and the number of lines is
 * limited; log_tick() reports once a second how many were left out. Returns false if there is no
 * memory or no thread. Main lcore, after EAL's start.
 */
bool log_start(void);
void log_tick(void);

#endif /* LOG_H */
