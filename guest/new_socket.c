/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Notes sockets that are accepted or connected: see new_socket.h for the contract. Its only data belongs to each
 * thread alone.
 */
#include <dlfcn.h>
#include <sys/socket.h>

#include "guest/new_socket.h"

static __thread int last = -1;

int
new_socket_take(void)
{
	int fd = last;

	last = -1;
	return fd;
}

/* Replaces libc's function, for this program and the libraries that it uses. */
int
accept(int listener, struct sockaddr *name, socklen_t *len)
{
	int fd = accept4(listener, name, len, 0);

	if (fd >= 0)
		last = fd;
	return fd;
}

/* Likewise. It calls the next one, which sanitizers watch. */
int
connect(int fd, const struct sockaddr *name, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t);
	int rc;

	*(void **)&next = dlsym(RTLD_NEXT, "connect");
	rc = next(fd, name, len);
	if (rc == 0)
		last = fd;
	return rc;
}
