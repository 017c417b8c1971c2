/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* librte_vhost's own thread: see vhost_thread.h. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/signal.h"
#include "guest/vhost_thread.h"

/* The thread's name in the releases that wait in poll(2). */
#define THREAD_NAME "vhost-events\n"

/* Returns true if the thread of this process with that number has this name. */
static bool
vhost_thread_is(const char *number)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", number);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	return strcmp(name, THREAD_NAME) == 0;
}

void
vhost_thread_wake(void)
{
	DIR *threads = signal_allow_interrupts() ? opendir("/proc/self/task") : NULL;
	const struct dirent *thread;

	/* Without it, the first guest waits for a second. */
	if (threads == NULL)
		return;
	while ((thread = readdir(threads)) != NULL) {
		if (vhost_thread_is(thread->d_name))
			syscall(SYS_tgkill, getpid(), atoi(thread->d_name), SIGNAL_INTERRUPT);
	}
	closedir(threads);
}
