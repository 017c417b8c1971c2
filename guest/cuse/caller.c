/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The process that made an ioctl: see caller.h for the contract. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "eventfd_link/eventfd_link.h"
#include "guest/cuse/caller.h"
#include "guest/cuse/maps.h"
#include "guest/cuse/memfile.h"
#include "guest/message.h"

pid_t
caller_process(pid_t thread)
{
	char path[40], line[256];
	pid_t process = -ESRCH;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	f = fopen(path, "re");
	if (f == NULL)
		return -ESRCH;
	while (process < 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	fclose(f);
	return process;
}

int
caller_handle(pid_t thread, pid_t process)
{
	int handle = (int)syscall(SYS_pidfd_open, process, 0);

	if (handle < 0)
		return -errno;
	/* It may have ended before, and the handle may be of another process. */
	if (caller_process(thread) == process)
		return handle;
	close(handle);
	return -ESRCH;
}

bool
caller_lives(int handle)
{
	struct pollfd ended = {.fd = handle, .events = POLLIN};

	return handle < 0 || poll(&ended, 1, 0) == 0;
}

/* Copies it by pidfd_getfd(2), which Linux has since 5.6. */
static int
caller_fd_by_pidfd(pid_t process, int fd)
{
	int copy, error, pidfd = (int)syscall(SYS_pidfd_open, process, 0);

	if (pidfd < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	error = errno;
	close(pidfd);
	return copy >= 0 ? copy : -error;
}

/* Copies it by our module, on a kernel without that call. */
static int
caller_fd_by_module(pid_t process, int fd)
{
	struct eventfd_link_get from = {.pid = process, .fd = fd};
	int copy, error, link = open("/dev/" EVENTFD_LINK_DEVICE, O_RDWR | O_CLOEXEC);

	if (link < 0)
		return errno == ENOENT ? -ENOSYS : -errno;
	copy = ioctl(link, EVENTFD_LINK_GET, &from);
	error = errno;
	close(link);
	return copy >= 0 ? copy : -error;
}

int
caller_fd(pid_t process, int fd)
{
	int copy = caller_fd_by_pidfd(process, fd);

	return copy == -ENOSYS ? caller_fd_by_module(process, fd) : copy;
}

static int
caller_read_maps(const char *process, struct maps *maps)
{
	char path[40];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%s/maps", process);
	f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? -ESRCH : -errno;
	ok = maps_read(f, maps);
	fclose(f);
	return ok ? 0 : -ESRCH;
}

/*
 * Opens the file of an extent through the mapping itself: it may have no name any more, or one in
 * another mount namespace. It is first opened as a handle only, as opening a device can have any
 * effect.
 */
static int
caller_open_extent(pid_t process, const struct extent *p)
{
	char path[80];
	struct stat st;
	int handle, fd, error;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)process,
			p->first.start, p->first.end);
	handle = open(path, O_PATH | O_CLOEXEC);
	if (handle < 0)
		return -errno;
	if (!memfile_ok(process, handle)) {
		close(handle);
		return -EMEDIUMTYPE;
	}
	if (fstat(handle, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(handle);
		return -EACCES;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
	/* The process may hold a lease on the file: with O_NONBLOCK nobody waits until it gives that up. */
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	error = errno;
	close(handle);
	if (fd < 0)
		return -error;
	/* An access past the end of a file raises SIGBUS. */
	if ((uint64_t)st.st_size < p->offset || (uint64_t)st.st_size - p->offset < p->size) {
		close(fd);
		return -EFAULT;
	}
	return fd;
}

/*
 * Checks that fd is the file that the process had mapped for writing: it may have mapped another
 * one there in between, which it can only read. The kernel tells device and inode of our own
 * mapping in the same way, on any file system.
 */
static int
caller_check_extent(const struct extent *p, int fd)
{
	size_t len = p->first.end - p->first.start;
	void *at = mmap(NULL, len, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd,
			(off_t)p->first.offset);
	const struct mapping *own;
	struct maps maps;
	int rc = -EFAULT;

	if (at == MAP_FAILED)
		return -errno;
	if (caller_read_maps("self", &maps) == 0) {
		own = maps_at(&maps, (uintptr_t)at);
		if (own != NULL && maps_same_file(own, &p->first))
			rc = 0;
		maps_free(&maps);
	}
	munmap(at, len);
	return rc;
}

static int
caller_open_checked(pid_t process, const struct extent *p)
{
	int rc, fd = caller_open_extent(process, p);

	if (fd < 0)
		return fd;
	rc = caller_check_extent(p, fd);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static void
caller_fill_region(struct message *m, unsigned int i, const struct extent *p)
{
	struct message_region r = {
			.gpa = p->gpa,
			.size = p->size,
			.user_addr = p->user_addr,
			.mmap_offset = p->offset,
	};

	m->payload.memory.region[i] = r;
}

int
caller_table(pid_t process, struct vhost_memory_region *region, unsigned int n, struct message *m,
		int *fd)
{
	struct extent extent[GUEST_REGIONS];
	unsigned int i, found;
	struct maps maps;
	char name[12];
	int rc;

	snprintf(name, sizeof(name), "%d", (int)process);
	rc = caller_read_maps(name, &maps);
	if (rc != 0)
		return rc;
	rc = maps_find(&maps, region, n, extent, &found);
	maps_free(&maps);
	if (rc != 0)
		return rc;
	for (i = 0; i < found; i++) {
		fd[i] = caller_open_checked(process, &extent[i]);
		if (fd[i] < 0) {
			rc = fd[i];
			while (i > 0)
				close(fd[--i]);
			return rc;
		}
		caller_fill_region(m, i, &extent[i]);
	}
	m->request = MSG_SET_MEM_TABLE;
	m->flags = MSG_VERSION;
	m->size = 8 + found * sizeof(struct message_region);
	m->payload.memory.nregions = found;
	m->payload.memory.padding = 0;
	return 0;
}
