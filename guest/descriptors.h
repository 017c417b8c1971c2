/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * File descriptors that guests send, and what can go wrong with them.
 *
 * librte_vhost (22.11.11 for one) loses the descriptor of a region that it
 * can't map. A front end that sends such tables on purpose would so use up this
 * process's descriptors. Contained in three ways: tables that are wrong on
 * their face are spoilt before the library looks at them, in a manner in which
 * it closes every descriptor; a connection whose table failed gets no second
 * one; and while few descriptors are left new guests are refused.
 */
#ifndef GUEST_DESCRIPTORS_H
#define GUEST_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

struct message;

/* Raises the limit of open files to what the system allows. Main lcore, at start. */
void descriptors_init(void);

/* Whether there are enough for one more guest. librte_vhost's thread. */
bool descriptors_left(void);

/* Notes, and says, that a descriptor may be lost. librte_vhost's thread. */
void descriptors_suspect(const char *who);

/* Ends the connection of a socket that descriptors_hurry() has found; -1 is fine. */
void descriptors_hang_up(int fd);

/* Whether librte_vhost can map a memory table, as far as can be told from it. */
bool descriptors_table_ok(const struct message *m);

/*
 * Finds the socket of the connection that is being made at `path`, and lets
 * librte_vhost wait for its peer a moment at most: it reads and writes whole
 * messages, blocking, in the one thread that all guests share. Returns the
 * socket, which stays the library's, or -1.
 */
int descriptors_hurry(const char *path);

/*
 * Whether the peer of a connection reads what it is answered. If it does not,
 * the connection is shut down.
 */
bool descriptors_answered(int fd);

/* Whether fd is an eventfd. Any thread. */
bool descriptors_is_eventfd(int fd);

/*
 * Whether fd is an eventfd, and so can signal a guest; makes it non-blocking,
 * lest a worker ever wait in a write.
 */
bool descriptors_callfd(int fd);

#endif /* GUEST_DESCRIPTORS_H */
