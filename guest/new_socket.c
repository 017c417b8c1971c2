/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Notes sockets that are accepted or connected: see new_socket.h for the contract. Its only data belongs to each
 * thread alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "guest/apart.h"
#include "guest/new_socket.h"

#define FULL_NAP_NS 1000000 /* librte_vhost's thread has other guests to serve */

static __thread int last = -1;

int
new_socket_take(void)
{
	int fd = last;

	last = -1;
	return fd;
}

/* Returns true if whoever connects there may leave one more file that can't be closed. */
static bool
new_socket_may_come(int listener)
{
	struct sockaddr_un at = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(at) - 1; /* the path may lack its end */

	return getsockname(listener, (struct sockaddr *)&at, &len) != 0 ||
			at.sun_family != AF_UNIX || !apart_is_full(at.sun_path);
}

/*
 * Replaces libc's function, for this program and the libraries that it uses. If nobody may come, the caller tries again
 * at once: hence the nap.
 */
int
accept(int listener, struct sockaddr *name, socklen_t *len)
{
	const struct timespec nap = {.tv_nsec = FULL_NAP_NS};
	int fd;

	if (!new_socket_may_come(listener)) {
		nanosleep(&nap, NULL);
		errno = EAGAIN;
		return -1;
	}
	fd = accept4(listener, name, len, 0);

	if (fd >= 0)
		last = fd;
	return fd;
}

/* Replaces libc's function likewise. It calls the next one, which sanitizers watch. */
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
