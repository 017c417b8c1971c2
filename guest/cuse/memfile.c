/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds file systems by their devices: see memfile.h for the contract. The handle keeps the file
 * system mounted, so no other can get its device meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/memfd.h>

#include <rte_common.h>

#include "guest/cuse/memfile.h"
#include "guest/fd_name.h"
#include "guest/memory.h"

struct device {
	unsigned int major, minor;
};

/* Gets the device. Only the kernel is asked: with no other field wanted, a FUSE server is not. */
static bool
memfile_device_of(int fd, struct device *d)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) != 0)
		return false;
	*d = (struct device){st.stx_dev_major, st.stx_dev_minor};
	return true;
}

/* Returns true if memory that is made with these flags has that device. */
static bool
memfile_is_kernels(const struct device *d, unsigned int flags)
{
	int fd = memfd_create("device", MFD_CLOEXEC | flags);
	struct device own;
	bool same;

	if (fd < 0)
		return false; /* there are no hugepages of that size */
	same = memfile_device_of(fd, &own) && own.major == d->major && own.minor == d->minor;
	close(fd);
	return same;
}

/* Reads a line of mountinfo, see proc(5): the device is its third column. */
static bool
memfile_line_has(const char *line, const struct device *d)
{
	const char *type = fd_name_type(line);
	struct device of = {0};

	return type != NULL && sscanf(line, "%*d %*d %u:%u", &of.major, &of.minor) == 2 &&
			of.major == d->major && of.minor == d->minor &&
			(strncmp(type, "tmpfs ", 6) == 0 || strncmp(type, "hugetlbfs ", 10) == 0);
}

static bool
memfile_is_mounted(pid_t process, const struct device *d)
{
	char path[40], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)process);
	f = fopen(path, "re");
	while (f != NULL && !found && getline(&line, &room, f) >= 0)
		found = memfile_line_has(line, d);
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

bool
memfile_ok(pid_t process, int handle)
{
	static const unsigned int sizes[] = {GUEST_HUGEPAGE_SHIFTS};
	struct device d;
	unsigned int i;

	if (!memfile_device_of(handle, &d))
		return false;
	if (memfile_is_kernels(&d, 0) || memfile_is_mounted(process, &d))
		return true;
	for (i = 0; i < RTE_DIM(sizes); i++)
		if (memfile_is_kernels(&d, MFD_HUGETLB | sizes[i] << MFD_HUGE_SHIFT))
			return true;
	return false;
}
