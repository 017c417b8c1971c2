/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Waking the main lcore, which sleeps in epoll_wait(): an eventfd, written to once for any
 * number of reasons.
 *
 * Any thread wakes; the main lcore alone makes, answers and ends it.
 */
#ifndef WAKE_H
#define WAKE_H

#include <stdbool.h>

struct wake {
	int fd;       /* readable when somebody woke us; -1: not made */
	bool pending; /* a wake-up is under way: no second write */
};

/* Returns true if it could be made. */
bool wake_open(struct wake *w);

void wake_close(struct wake *w);

/* Wakes the main lcore. Costs a system call only when no wake-up is under way. Any thread. */
void wake_up(struct wake *w);

/* Takes the wake-up: whatever comes from here on wakes again. Main lcore. */
void wake_take(struct wake *w);

#endif /* WAKE_H */
