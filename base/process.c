/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Naming processes: see process.h for the contract. */
#include <stdio.h>
#include <string.h>

#include "base/process.h"

#define COMM_MAX 16 /* the kernel's TASK_COMM_LEN, with its terminator */

/* Reads the process's name; it is empty if that is not possible. */
static void
process_read_name(pid_t pid, char comm[COMM_MAX])
{
	char path[64];
	size_t len;
	FILE *f;

	comm[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	len = fread(comm, 1, COMM_MAX - 1, f);
	fclose(f);
	if (len > 0 && comm[len - 1] == '\n')
		len--;
	comm[len] = '\0';
	for (; len > 0; len--)
		if (comm[len - 1] < ' ' || comm[len - 1] > '~')
			comm[len - 1] = '?';
}

void
process_text(pid_t pid, char *text, size_t size)
{
	char comm[COMM_MAX];

	if (pid <= 0) {
		snprintf(text, size, "%s",
				pid == 0 ? "a process of another container"
					 : "a process that is not known");
		return;
	}
	process_read_name(pid, comm);
	if (comm[0] == '\0')
		snprintf(text, size, "process %d", pid);
	else
		snprintf(text, size, "process %d (%s)", pid, comm);
}
