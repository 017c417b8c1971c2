/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Waking a thread that waits for file descriptors, the main lcore or a worker: an eventfd, written to
 * once for any number of reasons.
 *
 * Any thread may wake; only the thread that is woken answers. The main lcore makes and ends it.
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

/* Wakes the thread. Costs a system call only when no wake-up is under way. Any thread. */
void wake_up(struct wake *w);

/* Takes the wake-up: whatever comes from here on wakes again. The thread that is woken. */
void wake_take(struct wake *w);

#endif /* WAKE_H */
