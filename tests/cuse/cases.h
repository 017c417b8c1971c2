/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Cases of a test program, in TAP. Each runs in a child of its own: it may change its user, limits
 * and namespaces, and what it leaves open is closed when it ends.
 */
#ifndef CUSE_CASES_H
#define CUSE_CASES_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(const char *subject);
};

/* Ends the process, and with it the case, with a line that says what did not hold. */
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: not so: %s; errno is %s\n", __FILE__, __LINE__, \
					#condition, strerrorname_np(errno)); \
			exit(1); \
		} \
	} while (0)

/* The same for a value that must be a certain number: often 0 or a negative errno. */
#define CHECK_IS(value, due) \
	do { \
		long is_ = (value), due_ = (due); \
		if (is_ != due_) { \
			printf("# %s:%d: %s: is %ld (%s), must be %ld\n", __FILE__, __LINE__, \
					#value, is_, is_ < 0 ? strerrorname_np(-is_) : "", due_); \
			exit(1); \
		} \
	} while (0)

/* Runs cases in order, each under the name of what it tries. Returns the exit status. */
int run_cases(const struct test_case *cases, unsigned n, const char *subject);

#define RUN_CASES(cases, subject) run_cases(cases, sizeof(cases) / sizeof((cases)[0]), subject)

/* Returns how many file descriptors the process has. */
int open_fds(void);

#endif
