/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The workers' CPU time. See cpu_time.h. */
#define _GNU_SOURCE
#include "cpu_time.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIME_NS 300000000

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The number in the name of a worker's thread; it begins with 1. 0: another thread. */
static unsigned
lcore_of(pid_t pid, const char *tid)
{
	char path[300], text[64] = "";
	unsigned lcore = 0;
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, tid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	p = fgets(text, sizeof(text), f) != NULL ? strstr(text, "worker") : NULL;
	fclose(f);
	if (p != NULL)
		sscanf(p + strcspn(p, "0123456789"), "%u", &lcore);
	return lcore;
}

bool
cpu_time_find(struct cpu_time *t, pid_t pid, unsigned n)
{
	char path[300];
	struct dirent *e;
	unsigned lcore;
	DIR *dir;

	*t = (struct cpu_time){.n = n, .fd = {-1, -1}};
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		lcore = lcore_of(pid, e->d_name);
		if (lcore == 0 || lcore > n || t->fd[lcore - 1] >= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
		t->fd[lcore - 1] = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (dir != NULL)
		closedir(dir);
	for (unsigned i = 0; i < n; i++)
		if (t->fd[i] < 0)
			return false;
	return n > 0;
}

static void
read_times(const struct cpu_time *t, unsigned i, uint64_t *ran, uint64_t *waited)
{
	char text[96];
	ssize_t len = pread(t->fd[i], text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	*ran = *waited = 0;
	sscanf(text, "%" SCNu64 " %" SCNu64, ran, waited);
}

uint64_t
cpu_time_waited(const struct cpu_time *t, unsigned i)
{
	uint64_t ran, waited;

	read_times(t, i, &ran, &waited);
	return waited;
}

void
cpu_time_ran(const struct cpu_time *t, uint64_t ran[CPU_TIME_WORKERS])
{
	uint64_t waited;

	for (unsigned i = 0; i < t->n; i++)
		read_times(t, i, &ran[i], &waited);
}

bool
cpu_time_enough(const struct cpu_time *t, const uint64_t before[CPU_TIME_WORKERS])
{
	uint64_t ran[CPU_TIME_WORKERS];

	cpu_time_ran(t, ran);
	for (unsigned i = 0; i < t->n; i++)
		if (ran[i] < before[i] + TIME_NS)
			return false;
	return true;
}

void
cpu_time_forget(struct cpu_time *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->fd[i] >= 0)
			close(t->fd[i]);
	t->n = 0;
}
