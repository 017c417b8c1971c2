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

/* Returns the number of free pages of one size, by the name of its folder in sysfs. */
static unsigned long
hugepages_pages_free(const char *size)
{
	unsigned long n = 0;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), HUGEPAGES "/%s/free_hugepages", size);
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
			n += hugepages_pages_free(e->d_name);
	closedir(dir);
	return n != 0;
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
	return hugepages_pages_free(size) != 0;
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
