/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Hugepages, free and within reach: see hugepages.h for the contract. */
#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "conf/hugepages.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"
#define NODES "/sys/devices/system/node"

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

bool
hugepages_free(void)
{
	DIR *dir = opendir(HUGEPAGES);
	unsigned long n = 0;
	struct dirent *e;

	if (dir == NULL)
		return false;
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			n += hugepages_count(e->d_name, "free_hugepages");
	closedir(dir);
	return n != 0;
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

unsigned long long
hugepages_mib(void)
{
	DIR *dir = opendir(HUGEPAGES);
	unsigned long long kib = 0;
	unsigned long size;
	struct dirent *e;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL)
		if (sscanf(e->d_name, "hugepages-%lukB", &size) == 1)
			kib += (unsigned long long)size * hugepages_to_be_had(e->d_name);
	closedir(dir);
	return kib >> 10;
}

bool
hugepages_node(unsigned int node)
{
	char path[64];

	snprintf(path, sizeof(path), NODES "/node%u", node);
	return access(path, F_OK) == 0;
}

/* Returns true if pages of this mount's size are free. */
static bool
hugepages_gives_pages(const char *folder)
{
	struct statfs fs;
	char size[64];

	if (statfs(folder, &fs) != 0)
		return false;
	snprintf(size, sizeof(size), "hugepages-%lukB", (unsigned long)fs.f_bsize >> 10);
	return hugepages_count(size, "free_hugepages") != 0;
}

enum hugepages_mount
hugepages_find_mount(const char *only, char *folder, size_t size)
{
	enum hugepages_mount found = HUGEPAGES_MOUNT_NONE;
	FILE *mounts = setmntent("/proc/mounts", "r");
	const struct mntent *m;
	int why = ENOENT;

	while (mounts != NULL && found != HUGEPAGES_MOUNT_GOOD && (m = getmntent(mounts)) != NULL) {
		if (strcmp(m->mnt_type, "hugetlbfs") != 0 || !hugepages_gives_pages(m->mnt_dir) ||
				(only != NULL && strcmp(only, m->mnt_dir) != 0))
			continue;
		if (euidaccess(m->mnt_dir, W_OK | X_OK) == 0) {
			found = HUGEPAGES_MOUNT_GOOD;
		} else {
			why = errno;
			found = HUGEPAGES_MOUNT_CLOSED;
			snprintf(folder, size, "%s", m->mnt_dir);
		}
	}
	if (mounts != NULL)
		endmntent(mounts);
	errno = why;
	return found;
}
