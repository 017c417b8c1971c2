/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * This process's file descriptors, and how long librte_vhost waits for a front end.
 *
 * fd_gate.h says which file descriptors front ends may send, and what becomes of those that
 * librte_vhost loses. In addition, memory tables that are obviously wrong are made invalid before
 * the library reads them; a connection whose table failed gets no second one; and while few file
 * descriptors are left new guests are refused.
 *
 * librte_vhost's thread, except where it says otherwise.
 */
#ifndef GUEST_FDS_H
#define GUEST_FDS_H

#include <stdbool.h>
#include <stdint.h>

struct message;

/* Raises the limit of open files to what the system allows. Main lcore, at start. */
void fds_init(void);

/* Returns true if there are enough for one more guest. */
bool fds_left(void);

/* Ends the connection of a socket; -1 is allowed. */
void fds_hang_up(int fd);

/* Returns true if librte_vhost can probably map this memory table. */
bool fds_table_ok(const struct message *m);

/*
 * Keeps librte_vhost from waiting for the peer of a connection: it reads and writes whole messages in the one
 * thread that all guests share. A front end sends a message in one call, so all of it is there when its beginning
 * is; a front end that sends half of one is disconnected.
 */
void fds_hurry(int fd);

/*
 * Returns true if the peer of a connection reads its answers. If it does not, the connection is
 * shut down.
 */
bool fds_answered(int fd);

/*
 * Returns true if fd is of tmpfs or hugetlbfs: memory that its owner can't withhold. Asks only the
 * kernel: fstatfs(2) would ask the server of the file system. Any thread.
 */
bool fds_is_memory(int fd);

/* Returns true if fd is an eventfd. Any thread. */
bool fds_is_eventfd(int fd);

/*
 * Returns true if fd is an eventfd, which can signal a guest, and makes it non-blocking, so that no
 * worker waits in a write.
 */
bool fds_callfd(int fd);

/*
 * Returns true if fd is a stream socket by which User Mode Linux is signalled. It can be written to
 * without waiting, whatever its owner does. Asks only the kernel.
 */
bool fds_is_socket(int fd);

#endif /* GUEST_FDS_H */
