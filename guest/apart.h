/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Does what may take long in threads of its own. Above all, these close files that are not ours, whose owner
 * may make that wait without end (fd_gate.h). Such a thread takes no signals, and nobody waits for it. Any
 * thread may call these.
 */
#ifndef GUEST_APART_H
#define GUEST_APART_H

#include <stdbool.h>

/* Runs a function in a thread of its own. Returns false if there is no memory for that. */
bool apart_run(void *(*run)(void *), void *arg);

/*
 * Closes a file in a thread of its own. `of`: a socket's path, or another name of whoever it is from. Returns
 * false, and leaves it open, if too many threads wait, or too many of `of`.
 */
bool apart_close(int fd, const char *of);

/*
 * Does the same for a file that must not be closed otherwise: if it has to stay open, a thread that has closed one
 * closes it later.
 */
bool apart_close_later(int fd, const char *of);

/* Returns false if so many files stay open for `of` that it should send no more. */
bool apart_accepts(const char *of);

/* Returns true if that is so and more came all the same: even a connection that is refused may leave one. */
bool apart_is_full(const char *of);

#endif /* GUEST_APART_H */
