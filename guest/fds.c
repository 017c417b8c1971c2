/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guards this process's file descriptors: see fds.h for the contract. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
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

/*
 * How well a connection's name fits a path: not at all, in the last part, or as a whole; the name
 * of our own end fits best.
 */
enum fit { FIT_NONE, FIT_LAST_PART, FIT_ALL, FIT_OWN };

typedef int (*name_of)(int fd, struct sockaddr *name, socklen_t *len);

static const char *
fds_last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static enum fit
fds_name_fits(int fd, name_of get, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(un);
	char name[sizeof(un.sun_path) + 1];

	if (get(fd, (struct sockaddr *)&un, &len) != 0 || un.sun_family != AF_UNIX)
		return FIT_NONE;
	snprintf(name, sizeof(name), "%.*s", (int)sizeof(un.sun_path), un.sun_path);
	if (strcmp(name, path) == 0)
		return FIT_ALL;
	return strcmp(fds_last_part(name), fds_last_part(path)) == 0 ? FIT_LAST_PART : FIT_NONE;
}

/*
 * Returns how well a connection fits `path`. Our own end has the name that we gave it. The other
 * end has the name that its process gave it, in its own folder or its own file system: only the
 * last part is the same here.
 */
static enum fit
fds_connection_fits(int fd, const char *path)
{
	if (fds_name_fits(fd, getsockname, path) == FIT_ALL)
		return FIT_OWN;
	return fds_name_fits(fd, getpeername, path);
}

/*
 * Returns true if fds_hurry() has not seen a connection yet. Our own connections to the socket of
 * the cuse back end have a time limit (front.c).
 */
static bool
fds_is_new(int fd)
{
	struct timeval patience = {0};
	socklen_t len = sizeof(patience), listens_len = sizeof(int);
	int listens = 0;

	return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0 &&
			getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, &len) == 0 &&
			patience.tv_sec == 0 && patience.tv_usec == 0 &&
			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) == 0 &&
			!listens;
}

int
fds_hurry(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	enum fit best = FIT_NONE, fit;
	struct dirent *e;
	int fd, found = -1;

	/* librte_vhost does not tell a connection's socket, so it is found by its name. */
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		fd = (int)strtol(e->d_name, NULL, 10);
		if (!fds_is_new(fd))
			continue;
		fit = fds_connection_fits(fd, path);
		if (fit > best) {
			best = fit;
			found = fd;
		}
	}
	if (dir != NULL)
		closedir(dir);
	if (found >= 0)
		fcntl(found, F_SETFL, O_RDWR | O_NONBLOCK);
	return found;
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
