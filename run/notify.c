/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The service manager's socket: see notify.h for the contract. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "run/notify.h"

/*
 * The main lcore notifies once a second, so a watchdog of less than two seconds could not be kept.
 */
#define WATCHDOG_US_MIN 2000000

/* Sets the address: a path, or an abstract name, whose null byte is written as '@'. */
static int
notify_connect_to(const char *name)
{
	/* notify_send_once() must not keep the main lcore for longer. */
	const struct timeval limit = {.tv_sec = 1};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t size = strlen(name);
	int fd;

	if ((name[0] != '/' && name[0] != '@') || size >= sizeof(to.sun_path)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	memcpy(to.sun_path, name, size);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
			connect(fd, (struct sockaddr *)&to,
					offsetof(struct sockaddr_un, sun_path) + size) == 0)
		return fd;
	close(fd);
	return -1;
}

/* WATCHDOG_PID is set if WATCHDOG_USEC is meant for one process only. */
static uint64_t
notify_watchdog_of_environment(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value;

	if (us == NULL || (pid != NULL && strtoull(pid, NULL, 10) != (uint64_t)getpid()))
		return 0;
	value = strtoull(us, NULL, 10);
	if (value > 0 && value < WATCHDOG_US_MIN)
		say(WARNING,
				"a watchdog of %" PRIu64 " us will end the switch; set WatchdogSec "
				"to 2 or more\n",
				value);
	return value;
}

void
notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify){.fd = -1};
	if (name == NULL)
		return;
	n->fd = notify_connect_to(name);
	if (n->fd < 0)
		say(WARNING, "can't tell the service manager: NOTIFY_SOCKET=%s: %s\n", name,
				strerror(errno));
	else
		n->watchdog_us = notify_watchdog_of_environment();
}

/* Logs what went wrong, once until something is taken again. */
static bool
notify_put(struct notify *n, const char *text, int flags)
{
	if (n->fd < 0)
		return true;
	if (send(n->fd, text, strlen(text), flags | MSG_NOSIGNAL) >= 0) {
		n->silent = false;
		return true;
	}
	if (!n->silent)
		say(WARNING, "can't tell the service manager: %s\n",
				errno == EAGAIN ? "it does not read" : strerror(errno));
	n->silent = true;
	return false;
}

bool
notify_send(struct notify *n, const char *text)
{
	return notify_put(n, text, MSG_DONTWAIT);
}

void
notify_send_once(struct notify *n, const char *text)
{
	notify_put(n, text, 0);
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
