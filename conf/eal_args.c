/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Adapting EAL's options: see eal_args.h for the contract. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/eal_args.h"
#include "main.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"

/*
 * MiB of ordinary pages: the forwarding table, the workers and an mbuf pool for
 * jumbo frames take 60; guests' structures, 256 of them, 5.
 */
#define NO_HUGE_MIB "512"

/* Options of EAL by which the user has decided on memory himself. */
static const char *const memory_options[] = {
		"-m",
		"--socket-mem",
		"--numa-mem",
		"--no-huge",
		"--huge-dir",
		"--huge-unlink",
		"--socket-limit",
		"--legacy-mem",
};

static bool
says_memory(int argc, char **argv)
{
	size_t k, len;
	int i;

	for (i = 1; i < argc; i++) {
		for (k = 0; k < RTE_DIM(memory_options); k++) {
			len = strlen(memory_options[k]);
			if (strncmp(argv[i], memory_options[k], len) == 0 &&
					(argv[i][len] == '\0' || argv[i][len] == '=' || len == 2))
				return true;
		}
	}
	return false;
}

/* Free pages of one size, by the name of its folder in sysfs. */
static unsigned long
pages_free(const char *size)
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

static bool
hugepages_free(void)
{
	DIR *dir = opendir(HUGEPAGES);
	unsigned long n = 0;
	struct dirent *e;

	if (dir == NULL)
		return false;
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			n += pages_free(e->d_name);
	closedir(dir);
	return n != 0;
}

bool
eal_args_make(struct eal_args *a, int argc, char **argv)
{
	static const char *const ordinary[] = {"--no-huge", "-m", NO_HUGE_MIB};
	int own, i;

	for (own = 1; own < argc && strcmp(argv[own], "--") != 0; own++)
		;
	a->no_huge = !says_memory(own, argv) && !hugepages_free();
	a->argv = calloc(own + RTE_DIM(ordinary) + 1, sizeof(*a->argv));
	if (a->argv == NULL) {
		say_error("no memory for the command line");
		return false;
	}
	a->argc = 0;
	for (i = 0; i < own; i++) {
		/* Ordinary pages are in memory alone, and EAL does not want to hear it. */
		if (!a->no_huge || strcmp(argv[i], "--in-memory") != 0)
			a->argv[a->argc++] = argv[i];
	}
	if (a->no_huge) {
		memcpy(&a->argv[a->argc], ordinary, sizeof(ordinary));
		a->argc += RTE_DIM(ordinary);
	}
	return true;
}

void
eal_args_free(struct eal_args *a)
{
	free(a->argv);
	a->argv = NULL;
}
