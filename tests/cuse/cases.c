/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Cases of a test program: see cases.h. */
#include <dirent.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

int
run_cases(const struct test_case *cases, unsigned n, const char *subject)
{
	bool failed = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", n);
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0) {
			cases[i].run(subject);
			exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			failed = true;
		if (WIFSIGNALED(status))
			printf("# signal %d\n", WTERMSIG(status));
		printf("%s %u - %s\n", status == 0 ? "ok" : "not ok", i + 1, cases[i].name);
	}
	return failed;
}

int
open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = -3; /* itself, "." and ".." */

	CHECK(folder != NULL);
	while (readdir(folder) != NULL)
		n++;
	closedir(folder);
	return n;
}
