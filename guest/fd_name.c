/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Names a file by its file system: see fd_name.h for the contract. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/fd_name.h"

long
fd_info(int fd, const char *key)
{
	const size_t len = strlen(key);
	char path[40], line[80];
	long number = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f != NULL && number < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, len) == 0)
			number = strtol(line + len, NULL, 10);
	if (f != NULL)
		fclose(f);
	return number;
}

const char *
fd_name_type(const char *line)
{
	static const char separator[] = " - ";
	const char *at = strstr(line, separator);

	return at != NULL ? at + strlen(separator) : NULL;
}

/* Finds the type of a mount. */
static bool
fd_name_kind_of(int mount, char *kind, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	const char *at;
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	while (f != NULL && !found && getline(&line, &room, f) >= 0) {
		at = fd_name_type(line);
		if (atoi(line) != mount || at == NULL)
			continue;
		snprintf(kind, size, "%.*s", (int)strcspn(at, " \n"), at);
		found = true;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

const char *
fd_name(int fd, char name[static FD_NAME_MAX])
{
	char path[40], link[FD_NAME_MAX];
	ssize_t n;
	char *p;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = '\0';
	if (link[0] != '/') {
		link[strcspn(link, ":")] = '\0';
		snprintf(name, FD_NAME_MAX, "kind %.40s", link[0] != '\0' ? link : "unknown");
	} else if (!fd_name_kind_of((int)fd_info(fd, "mnt_id:"), link, sizeof(link) - 16)) {
		snprintf(name, FD_NAME_MAX, "a file system that is not mounted here");
	} else {
		snprintf(name, FD_NAME_MAX, "file system %.40s", link);
	}
	/* A part of the name is chosen by the user who mounts the file system. */
	for (p = name; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	return name;
}
