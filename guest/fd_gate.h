/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The gate through which other processes' file descriptors enter this one.
 *
 * librte_vhost receives file descriptors from front ends by recvmsg(2), and then does what a
 * message says: stat, map, close. Each of these can wait without end if the file is not ours, such as one
 * of a FUSE file system; and 22.11 to 26.07 lose a file descriptor with many malformed messages. So
 * this file has its own recvmsg(), which the linker prefers to libc's for the libraries too. It
 * checks every file descriptor before librte_vhost sees it:
 *
 *	memory:     of tmpfs (memfd is one) or hugetlbfs; nobody can withhold a page of it
 *	eventfd:    for calls and kicks
 *	socket:     a Unix stream socket, of a port with uml=yes: User Mode Linux is signalled by it
 *	all others: replaced by an empty file that can't be mapped; a thread of its own closes
 *	            them, as even that may wait
 *
 * A pipe is one of the others. A writer takes the pipe's lock (pipe_write() of Linux), also with
 * O_NONBLOCK or RWF_NOWAIT, in a wait that no signal ends; and another writer, in a page fault on
 * memory that is withheld, may hold the lock without end. The last close takes the lock, too. A
 * socket's writer has no lock while it copies, and each call can say that it must not wait.
 *
 * All file descriptors are noted. Those that are still open when librte_vhost is done with the
 * connection are closed then.
 *
 * A silent connection is ended after FD_GATE_PATIENCE seconds.
 */
#ifndef GUEST_FD_GATE_H
#define GUEST_FD_GATE_H

#include <stdbool.h>

/*
 * QEMU sends a message as soon as it is connected; on a busy machine that may take a second or two.
 */
#define FD_GATE_PATIENCE 5

/*
 * Begins a connection: librte_vhost's socket `sock`, at `path`. `uml`: of User Mode Linux. Returns
 * false if there is no memory or file descriptor for it. librte_vhost's threads.
 */
bool fd_gate_open(int sock, const char *path, bool uml);

/* Returns true if a message of the connection was received here. librte_vhost's thread. */
bool fd_gate_passed(int sock);

/*
 * Ends a connection, just before librte_vhost closes the file descriptors that it knows.
 * librte_vhost's thread.
 */
void fd_gate_close(int sock);

/*
 * Closes file descriptors that librte_vhost has lost, and ends silent connections. Main lcore, once
 * a second.
 */
void fd_gate_tick(void);

/*
 * Returns true if fd is of tmpfs or hugetlbfs: memory that its owner can't withhold. Asks only the
 * kernel: fstatfs(2) would ask the server of the file system.
 */
bool fd_gate_is_memory(int fd);

/*
 * Called before and after file descriptors are made in another way than by a message: by copying
 * another process's, or by opening its file. librte_vhost may have closed one of the same file with
 * the same number, and the two could not be told apart. So nothing is closed here between the two
 * calls, and files that had the numbers fd[n] (if not below 0) are forgotten. The caller may wait
 * between the calls. Any thread.
 */
void fd_gate_making(void);
void fd_gate_made(const int *fd, unsigned int n);

#endif /* GUEST_FD_GATE_H */
