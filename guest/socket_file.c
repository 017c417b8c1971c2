/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Files of sockets: see socket_file.h for the contract. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"
#include "guest/socket_file.h"
#include "base/log.h"
#include "base/number.h"

/* Returns true if a process serves the socket. */
static bool
socket_file_is_alive(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return true;
	strncpy(un.sun_path, path, sizeof(un.sun_path) - 1);
	/* EAGAIN: who listens accepts nobody now. EPROTOTYPE: it is a socket of another type. */
	alive = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 || errno == EAGAIN ||
			errno == EPROTOTYPE;
	close(fd);
	return alive;
}

/* Returns true if connections to a socket's file come to this file descriptor. */
static bool
socket_file_is_of(const char *path, int fd)
{
	struct sockaddr_un un = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(un), size = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
			getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
			un.sun_family == AF_UNIX &&
			strncmp(un.sun_path, path, sizeof(un.sun_path)) == 0;
}

bool
socket_file_is_own(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	bool own = false;
	uint64_t fd;

	while (dir != NULL && !own && (e = readdir(dir)) != NULL)
		own = number_parse(e->d_name, 10, INT_MAX, &fd) && socket_file_is_of(path, fd);
	if (dir != NULL)
		closedir(dir);
	return own;
}

bool
socket_file_make_way(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return true;
		say_error("socket %s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		say_error("socket %s: a file of that name is there, and is no socket; move it "
			  "away or choose another path",
				path);
		return false;
	}
	if (socket_file_is_alive(path)) {
		say_error("socket %s: in use by a live process; end that, or choose another "
			  "path",
				path);
		return false;
	}
	if (unlink(path) != 0) {
		say_error("socket %s: is stale and can't be removed: %s", path, strerror(errno));
		return false;
	}
	return true;
}

/*
 * Opens a handle of a socket's file, so that the file that is looked at is the one that is changed,
 * whatever its name leads to then. Returns -1 if it is none.
 */
static int
socket_file_handle(const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
socket_file_look(const char *path, uid_t *uid, gid_t *gid, mode_t *mode)
{
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	*uid = st.st_uid;
	*gid = st.st_gid;
	*mode = st.st_mode & 07777;
	return true;
}

bool
socket_file_set_mode(const char *path, mode_t mode)
{
	char name[sizeof("/proc/self/fd/") + 10];
	int fd = socket_file_handle(path);
	bool ok = false;

	if (fd >= 0) {
		/* fchmodat(2) takes no handle before Linux 6.6. */
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		ok = chmod(name, mode) == 0;
		close(fd);
	}
	if (!ok)
		say_error("socket %s: can't be given the mode %04o: %s; is it there, and the "
			  "switch's own?",
				path, mode, strerror(errno));
	return ok;
}

bool
socket_file_give(const char *path, uid_t uid, gid_t gid)
{
	int fd = socket_file_handle(path);
	bool ok = fd >= 0 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0;

	if (!ok)
		say_error("socket %s: can't be given to owner %u:%u: %s; run the switch as root (in a "
			  "service: with CAP_CHOWN), or as that user and with that group",
				path, uid, gid, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

mode_t
socket_file_new_mode(void)
{
	/*
	 * It can't be read without being set. No other thread sets it now: the registrar's rests at the
	 * end of a change.
	 */
	const mode_t mask = umask(0077);

	umask(mask);
	return 0777 & ~mask;
}

gid_t
socket_file_new_group(const char *path)
{
	char folder[SOCKET_PATH_MAX];
	struct stat st;

	snprintf(folder, sizeof(folder), "%s", path);
	if (stat(dirname(folder), &st) == 0 && (st.st_mode & S_ISGID) != 0)
		return st.st_gid;
	return getegid();
}
