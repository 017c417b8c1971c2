/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The gate through which other processes' file descriptors enter this one.
 *
 * librte_vhost takes descriptors from front ends by recvmsg(2), and does with them whatever a
 * message says: stat, map, close. Each of these can wait for ever where the file belongs to
 * a stranger, as one of a FUSE file system does; and 22.11 to 26.07 lose a descriptor
 * with many a malformed message. So this file has a recvmsg() of its own, which the linker
 * prefers to libc's for the libraries too. What a connection is sent is looked at before
 * librte_vhost sees it:
 *
 *	memory:     of tmpfs (memfd is one) or hugetlbfs; nobody can withhold a page of it
 *	eventfd:    for calls and kicks
 *	socket:     a Unix stream socket, of a port with uml=yes: User Mode Linux is signalled by it
 *	all others: replaced by an empty file that can't be mapped; a thread of its own closes
 *	            them, as even that may wait
 *
 * A pipe is one of the others. Whoever writes to it takes its lock (pipe_write() of Linux), also with
 * O_NONBLOCK or RWF_NOWAIT, in a wait that no signal ends; and another writer, in a page fault
 * on memory that is withheld, may have the lock for ever. The last close takes it, too. A
 * socket's writer has no lock while it copies, and each call may say that it won't wait.
 *
 * Each is noted. What is still open when librte_vhost is done with the connection is
 * closed then.
 *
 * A connection that says nothing is ended after FD_GATE_PATIENCE seconds.
 */
#ifndef GUEST_FD_GATE_H
#define GUEST_FD_GATE_H

#include <stdbool.h>

/* QEMU speaks as soon as it is connected; on a busy machine that may take a second or two. */
#define FD_GATE_PATIENCE 5

/*
 * A connection begins: librte_vhost's socket `sock`, at `path`. `uml`: of User Mode Linux. False:
 * no memory or no descriptor for it. librte_vhost's threads.
 */
bool fd_gate_open(int sock, const char *path, bool uml);

/* Whether a message of the connection has come through here. librte_vhost's thread. */
bool fd_gate_passed(int sock);

/* The connection is over; librte_vhost is about to close what it knows of it. Its thread. */
void fd_gate_close(int sock);

/* Closes what librte_vhost has lost, ends connections that say nothing. Main lcore, once a second. */
void fd_gate_tick(void);

/*
 * Whether fd is of tmpfs or hugetlbfs: memory, and nothing that its owner can withhold. Asks
 * nobody: fstatfs(2) would send a question to who serves the file.
 */
bool fd_gate_is_memory(int fd);

/*
 * Around the making of a descriptor in another way than by a message: a copy of another process's,
 * or another opening of its file. Librte_vhost may have closed one of the same file that had the
 * same number, and nobody would tell the two apart. So nothing is closed here meanwhile, and what
 * had the numbers of the fd[n], those below 0 aside, is forgotten. In between anything may be
 * waited for. Any thread.
 */
void fd_gate_making(void);
void fd_gate_made(const int *fd, unsigned int n);

/* Closes a stranger's file, which may wait, in a thread of its own. Any thread. */
void fd_gate_dispose(int fd);

#endif /* GUEST_FD_GATE_H */
