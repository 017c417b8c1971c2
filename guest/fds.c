/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guards this process's file descriptors: see fds.h for the contract. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/fds.h"
#include "guest/message.h"

/* User addresses of x86-64 and arm64 end below this; no larger region can be mapped. */
#define REGION_MAX (UINT64_C(1) << 47)

void
fds_init(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

bool
fds_left(void)
{
	struct rlimit limit;
	int lowest = fcntl(STDERR_FILENO, F_DUPFD, 0);

	if (lowest < 0)
		return false;
	close(lowest);
	/* A quarter is kept for the guests that are connected: their queues and memory tables. */
	return getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
			(rlim_t)lowest < limit.rlim_cur - limit.rlim_cur / 4;
}

bool
fds_table_ok(const struct message *m)
{
	uint32_t i, n = m->payload.memory.nregions;
	struct message_region c;

	if (n == 0 || n > GUEST_REGIONS || m->size < 8 + n * sizeof(c))
		return false;
	for (i = 0; i < n; i++) {
		c = m->payload.memory.region[i];
		if (c.size == 0 || c.size > REGION_MAX || c.mmap_offset > REGION_MAX ||
				c.gpa + c.size < c.gpa || c.user_addr + c.size < c.user_addr)
			return false;
	}
	return true;
}

void
fds_hurry(int fd)
{
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

void
fds_hang_up(int fd)
{
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

bool
fds_answered(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (fd < 0 || poll(&p, 1, 0) != 0)
		return true;
	fds_hang_up(fd);
	return false;
}

bool
fds_is_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

bool
fds_is_eventfd(int fd)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char link[32], name[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	return n == (ssize_t)strlen(eventfd) && memcmp(name, eventfd, n) == 0;
}

bool
fds_is_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain, type;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
			getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
			type == SOCK_STREAM;
}

bool
fds_callfd(int fd)
{
	int flags;

	if (!fds_is_eventfd(fd))
		return false;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}
