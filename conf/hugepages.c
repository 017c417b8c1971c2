/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Hugepages, free and within reach: see hugepages.h for the contract. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "conf/eal_options.h"
#include "conf/hugepages.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"
#define NODES "/sys/devices/system/node"
#define EAL_FILES "*map_*"
#define SIZE_FOLDER "hugepages-%lukB" /* of HUGEPAGES: what the kernel has of one size */
#define SIZES_MAX 8                   /* x86-64 has two sizes of hugepages, arm64 four */

/* Two seconds: EAL has its lock while it starts, and others could keep it. */
#define LOCK_TRIES 200
#define LOCK_US 10000

/* Returns a number that the kernel gives for the pages of one size, by the name of its folder in sysfs. */
static unsigned long
hugepages_count(const char *size, const char *what)
{
	unsigned long n = 0;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), HUGEPAGES "/%s/%s", size, what);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* Returns the size of the pages in a folder of hugetlbfs, in bytes; 0: it is none. */
static unsigned long
hugepages_size(const char *folder)
{
	struct statfs fs;

	return statfs(folder, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC ? fs.f_bsize : 0;
}

/* Returns the bytes of a file that no program has locked, as a DPDK program locks its own; else 0. */
static unsigned long long
hugepages_left_in(int folder, const char *name)
{
	unsigned long long bytes = 0;
	struct stat st;
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0)
		bytes = (unsigned long long)st.st_blocks * S_BLKSIZE;
	close(fd);
	return bytes;
}

/* Takes the lock that every EAL holds while it makes or frees files. Returns false if that takes too long. */
static bool
hugepages_lock(int folder)
{
	unsigned int i;

	for (i = 0; i < LOCK_TRIES; i++) {
		if (flock(folder, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(LOCK_US);
	}
	return false;
}

/*
 * Returns the bytes of pages that EAL frees in a folder when it starts: those of files that a DPDK program has left
 * there, as it does when it is killed.
 */
static unsigned long long
hugepages_left(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned long long bytes = 0;
	struct dirent *e;

	if (dir == NULL)
		return 0;
	if (hugepages_lock(dirfd(dir)))
		while ((e = readdir(dir)) != NULL)
			if (fnmatch(EAL_FILES, e->d_name, 0) == 0)
				bytes += hugepages_left_in(dirfd(dir), e->d_name);
	closedir(dir);
	return bytes;
}

/* The mounts that EAL uses: the first of each size of pages. */
struct mounts {
	FILE *f;
	unsigned long seen[SIZES_MAX];
	unsigned int n;
};

static void
hugepages_begin(struct mounts *m)
{
	*m = (struct mounts){.f = setmntent("/proc/mounts", "r")};
}

static bool
hugepages_is_first(struct mounts *m, unsigned long size)
{
	unsigned int i;

	for (i = 0; i < m->n && m->seen[i] != size; i++)
		;
	if (i < m->n || i == SIZES_MAX)
		return false;
	m->seen[m->n++] = size;
	return true;
}

/* Returns the folder of the next mount, or NULL after the last one. */
static const char *
hugepages_next(struct mounts *m)
{
	const struct mntent *e;

	while (m->f != NULL && (e = getmntent(m->f)) != NULL)
		if (strcmp(e->mnt_type, "hugetlbfs") == 0 &&
				hugepages_is_first(m, hugepages_size(e->mnt_dir)))
			return e->mnt_dir;
	if (m->f != NULL)
		endmntent(m->f);
	return NULL;
}

/* Returns the same of the folder `only`, or (if that is NULL) of all mounts that EAL uses. */
static unsigned long long
hugepages_left_anywhere(const char *only)
{
	unsigned long long bytes = 0;
	const char *folder;
	struct mounts m;

	if (only != NULL)
		return hugepages_size(only) != 0 ? hugepages_left(only) : 0;
	hugepages_begin(&m);
	while ((folder = hugepages_next(&m)) != NULL)
		bytes += hugepages_left(folder);
	return bytes;
}

/* Returns how many pages of one size a process may still get. */
static unsigned long
hugepages_to_be_had(const char *size)
{
	unsigned long all = hugepages_count(size, "free_hugepages");
	unsigned long gone = hugepages_count(size, "resv_hugepages");
	unsigned long more = hugepages_count(size, "nr_overcommit_hugepages");
	unsigned long made = hugepages_count(size, "surplus_hugepages");

	return (all > gone ? all - gone : 0) + (more > made ? more - made : 0);
}

/* Adds up the KiB of all pages that a process may still get. Returns false if the kernel has no hugepages. */
static bool
hugepages_count_all(unsigned long long *kib)
{
	DIR *dir = opendir(HUGEPAGES);
	unsigned long size;
	struct dirent *e;

	*kib = 0;
	if (dir == NULL)
		return false;
	while ((e = readdir(dir)) != NULL)
		if (sscanf(e->d_name, SIZE_FOLDER, &size) == 1)
			*kib += (unsigned long long)size * hugepages_to_be_had(e->d_name);
	closedir(dir);
	return true;
}

bool
hugepages_free(const struct eal_said *said)
{
	unsigned long long kib;

	if (!hugepages_count_all(&kib))
		return false;
	return kib != 0 || (!said->in_memory && hugepages_left_anywhere(said->huge_dir) != 0);
}

unsigned long long
hugepages_mib(const struct eal_said *said)
{
	unsigned long long kib;

	if (!hugepages_count_all(&kib))
		return 0;
	if (!said->in_memory)
		kib += hugepages_left_anywhere(said->huge_dir) >> 10;
	return kib >> 10;
}

bool
hugepages_node(unsigned int node)
{
	char path[64];

	snprintf(path, sizeof(path), NODES "/node%u", node);
	return access(path, F_OK) == 0;
}

/* Returns what happens to a process that takes pages from a folder. HUGEPAGES_MOUNT_CLOSED sets errno. */
static enum hugepages_mount
hugepages_try(const char *folder)
{
	const unsigned long bytes = hugepages_size(folder);
	char size[64];

	snprintf(size, sizeof(size), SIZE_FOLDER, bytes >> 10);
	if (bytes == 0 || (hugepages_to_be_had(size) == 0 && hugepages_left(folder) == 0))
		return HUGEPAGES_MOUNT_NONE;
	return euidaccess(folder, W_OK | X_OK) == 0 ? HUGEPAGES_MOUNT_GOOD : HUGEPAGES_MOUNT_CLOSED;
}

enum hugepages_mount
hugepages_find_mount(const char *only, char *folder, size_t size)
{
	enum hugepages_mount found = HUGEPAGES_MOUNT_NONE, one;
	const char *at;
	int why = ENOENT;
	struct mounts m;

	if (only != NULL) {
		snprintf(folder, size, "%s", only);
		return hugepages_try(only);
	}
	hugepages_begin(&m);
	while ((at = hugepages_next(&m)) != NULL) {
		one = hugepages_try(at);
		if (one == HUGEPAGES_MOUNT_NONE || found == HUGEPAGES_MOUNT_GOOD)
			continue;
		found = one;
		why = errno;
		snprintf(folder, size, "%s", at);
	}
	errno = why;
	return found;
}
