/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Functions of libc that librte_vhost receives by, for this program and the libraries that it uses: the linker prefers
 * them to libc's. What belongs to no connection of fd_gate.h is left to libc. The header of libc that declares read()
 * may also define it, so it is not included here.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/atomic.h"
#include "guest/fd_gate.h"

typedef ssize_t read_fn(int fd, void *to, size_t len);
typedef ssize_t recv_fn(int fd, void *to, size_t len, int flags);

ssize_t read(int fd, void *to, size_t len);
ssize_t recv(int fd, void *to, size_t len, int flags);
/* A library that was compiled with _FORTIFY_SOURCE calls these. */
ssize_t __read_chk(int fd, void *to, size_t len, size_t room);            /* NOLINT: libc's name */
ssize_t __recv_chk(int fd, void *to, size_t len, size_t room, int flags); /* NOLINT: libc's name */

ssize_t
recvmsg(int sock, struct msghdr *m, int flags)
{
	struct mmsghdr one = {.msg_hdr = *m};
	ssize_t n;

	if (fd_gate_receive(sock, m, flags, &n))
		return n;
	/* EAL cancels a thread that waits here: recvmmsg(2) can be cancelled, the bare system call can't. */
	if (recvmmsg(sock, &one, 1, flags, NULL) != 1)
		return -1;
	*m = one.msg_hdr;
	return one.msg_len;
}

/* The next function of that name, which sanitizers watch. */
ssize_t
read(int fd, void *to, size_t len)
{
	static read_fn *found;
	read_fn *next = load_relaxed(&found);
	ssize_t n;

	if (fd_gate_read(fd, to, len, 0, &n))
		return n;
	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "read");
		store_relaxed(&found, next);
	}
	return next(fd, to, len);
}

ssize_t
recv(int fd, void *to, size_t len, int flags)
{
	static recv_fn *found;
	recv_fn *next = load_relaxed(&found);
	ssize_t n;

	if (fd_gate_read(fd, to, len, flags, &n))
		return n;
	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "recv");
		store_relaxed(&found, next);
	}
	return next(fd, to, len, flags);
}

ssize_t
__read_chk(int fd, void *to, size_t len, size_t room) /* NOLINT: libc's name */
{
	if (len > room)
		abort();
	return read(fd, to, len);
}

ssize_t
__recv_chk(int fd, void *to, size_t len, size_t room, int flags) /* NOLINT: libc's name */
{
	if (len > room)
		abort();
	return recv(fd, to, len, flags);
}
