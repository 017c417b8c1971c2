/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The gate through which other processes' file descriptors enter this one.
 *
 * librte_vhost receives file descriptors from front ends by recvmsg(2), and then does what a
 * message says: stat, map, close. Each of these can wait without end if the file is not ours, such as one
 * of a FUSE file system; and 22.11 to 26.07 lose a file descriptor with many malformed messages. So
 * the switch has its own recvmsg() and read() (fd_hook.c), which the linker prefers to libc's for the libraries too.
 * Every file descriptor is checked before librte_vhost sees it:
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
 * Files for which librte_vhost has no room, or that come with a call that takes none, or that were not received when
 * the connection ends, would be closed by the kernel, in our thread: fd_inbox.h says what is done instead.
 *
 * A silent connection is ended after FD_GATE_PATIENCE seconds.
 *
 * Any thread that calls recvmsg(2), recv(2) or read(2) gets here, by whatever file. Each connection has a gate,
 * which notes what was sent there; fd_gate.c owns the gates. A mutex guards them, which is never held while
 * anything may wait.
 *
 * A gate is apart from struct connection (device.h) as it is found by the number of a socket, by threads that do not
 * have the mutex that guards guests; and as it stays until librte_vhost has closed what it knows, when the guest may
 * have its next connection already.
 */
#ifndef GUEST_FD_GATE_H
#define GUEST_FD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct msghdr;

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
 * Ends a connection, just before librte_vhost closes the file descriptors that it knows. Returns a copy of its socket,
 * and writes its path (SOCKET_PATH_MAX bytes), for fd_drain_gate(), which alone calls this; -1: there is none.
 * librte_vhost's thread.
 */
int fd_gate_close(int sock, char *path);

/*
 * Closes file descriptors that librte_vhost has lost, and ends silent connections. Main lcore, once
 * a second.
 */
void fd_gate_tick(void);

/*
 * Receive a message of a connection, or more bytes of it, with which no file may come. *n is what recvmsg(2), or
 * recv(2), returns. Return false if `sock` is no connection. Any thread.
 */
bool fd_gate_receive(int sock, struct msghdr *m, int flags, ssize_t *n);
bool fd_gate_read(int sock, void *to, size_t len, int flags, ssize_t *n);

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
