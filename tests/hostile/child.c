/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* This program as a child. See child.h. */
#define _GNU_SOURCE
#include "child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

pid_t
child_start(const char *self, const char *option, const char *arg, int out)
{
	pid_t parent = getpid(), pid;

	/* fork(2) would stop all threads here while it waits for a lock that the kernel may hold for minutes. */
	pid = vfork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent && (out < 0 || dup2(out, 1) >= 0))
			execl(self, self, option, arg, (char *)NULL);
		_exit(126);
	}
	return pid;
}
