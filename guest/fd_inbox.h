/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Receives from a socket whose other end may send files, too.
 *
 * The kernel closes files that nobody wants, in the thread that receives or that closes the socket: those for which
 * there is no room in a message, those that come with a call that takes none (read(2)), and those that are still
 * queued when the socket is closed. The last close of a pipe waits for its lock, which a writer keeps who is in a page
 * fault on memory that is withheld. So every message is received with room for all files that it can bring; fd_drain.h
 * does so for what is still queued in the end.
 *
 * Any thread; the caller takes care that nobody else uses the socket meanwhile.
 */
#ifndef GUEST_FD_INBOX_H
#define GUEST_FD_INBOX_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Most files of one message (SCM_MAX_FD of Linux). */
#define FD_INBOX_MAX 253

struct fd_inbox {
	unsigned int n;
	int fd[FD_INBOX_MAX];
};

/* Makes a byte that is sent out of band come like any other, as its files would be closed when it is passed over. */
void fd_inbox_begin(int sock);

/*
 * Does what recvmsg(2) does, without m's room for control data. The files belong to the caller, who has to tell
 * fd_gate.h of their numbers, which may be those of files that librte_vhost has closed.
 */
ssize_t fd_inbox_receive(int sock, struct msghdr *m, int flags, struct fd_inbox *in);

/* Puts the first files into m's room for control data. Returns how many fit; if that is not all, m says so. */
unsigned int fd_inbox_give(const struct fd_inbox *in, struct msghdr *m, unsigned int room);

/* Returns how many files that room is for. */
unsigned int fd_inbox_room(const struct msghdr *m);

/* Closes files from `first` on that nobody wants. `of`: as in apart.h. */
void fd_inbox_drop(const struct fd_inbox *in, unsigned int first, const char *of);

/* Returns true if closing a file waits for nobody. */
bool fd_inbox_is_easy(int fd);

#endif /* GUEST_FD_INBOX_H */
