/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * This process's file descriptors, and how long librte_vhost waits for a front end.
 *
 * Which descriptors front ends may send, and what becomes of those that librte_vhost loses,
 * is in fd_gate.h. Beyond that, tables that are wrong on their face are spoilt before
 * the library looks at them; a connection whose table failed gets no second one; and
 * while few descriptors are left new guests are refused.
 */
#ifndef GUEST_FDS_H
#define GUEST_FDS_H

#include <stdbool.h>
#include <stdint.h>

struct message;

/* Raises the limit of open files to what the system allows. Main lcore, at start. */
void fds_init(void);

/* Whether there are enough for one more guest. librte_vhost's thread. */
bool fds_left(void);

/* Ends the connection of a socket that fds_hurry() has found; -1 is fine. */
void fds_hang_up(int fd);

/* Whether librte_vhost can map a memory table, as far as can be told from it. */
bool fds_table_ok(const struct message *m);

/*
 * Finds the socket of the connection that is being made at `path`, and keeps librte_vhost
 * from waiting for its peer: it reads and writes whole messages in the one thread that all
 * guests share. A front end sends a message at once, so that all of it is there when its
 * beginning is; one that sends half of it is disconnected. Returns the socket, which stays
 * the library's, or -1.
 */
int fds_hurry(const char *path);

/*
 * Whether the peer of a connection reads what it is answered. If it does not,
 * the connection is shut down.
 */
bool fds_answered(int fd);

/* Whether fd is an eventfd. Any thread. */
bool fds_is_eventfd(int fd);

/*
 * Whether fd is an eventfd, and so can signal a guest; makes it non-blocking,
 * lest a worker ever wait in a write.
 */
bool fds_callfd(int fd);

/*
 * Returns true if fd is a stream socket of the kind that User Mode Linux is signalled by. Such
 * a one can be written to without waiting, whatever its owner does. Asks nobody.
 */
bool fds_is_socket(int fd);

#endif /* GUEST_FDS_H */
