/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Ends sockets whose other end may have sent files that nobody has received: the kernel would close them with the
 * socket, and the thread that does so may wait without end (fd_inbox.h). So they are received, or the socket is
 * closed by a thread of its own (apart.h).
 *
 * Any thread; the caller takes care that nobody else uses the socket meanwhile.
 */
#ifndef GUEST_FD_DRAIN_H
#define GUEST_FD_DRAIN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "guest/fd_inbox.h"

/*
 * Receives as fd_inbox_receive() does, without waiting, by a socket that has no gate: fd_gate.h knows the files'
 * numbers.
 */
ssize_t fd_drain_receive(int sock, struct msghdr *m, struct fd_inbox *in);

/*
 * Ends a connection, whose other end then can't send any more, and receives what is queued. Never waits. Returns
 * false if something is left, by which closing the socket might wait.
 */
bool fd_drain(int sock, const char *of);

/* Ends a connection as fd_drain() does, and closes the socket. */
void fd_drain_close(int sock, const char *of);

/* Ends librte_vhost's connection `sock` (fd_gate_close()) and what it left behind. librte_vhost's thread. */
void fd_drain_gate(int sock);

#endif /* GUEST_FD_DRAIN_H */
