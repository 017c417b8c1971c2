/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A process that plays a client: see client.h. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "unit.h"

static void *
say_number(void *arg)
{
	pid_t self = (pid_t)syscall(SYS_gettid);

	if (write(*(int *)arg, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	for (;;)
		pause();
}

/* The child starts one more thread, and then waits until the test closes its end of the pipe. */
static void
wait_for_end(int tell, int hold)
{
	pthread_t thread;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, say_number, &tell) != 0)
		_exit(1);
	_exit(read(hold, &byte, 1) == 0 ? 0 : 1);
}

struct client
client_start(void)
{
	struct client c;
	int tell[2], hold[2];

	assert_int_equal(pipe(tell), 0);
	assert_int_equal(pipe(hold), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		close(hold[1]);
		wait_for_end(tell[1], hold[0]);
	}
	close(tell[1]);
	close(hold[0]);
	c.hold = hold[1];
	assert_int_equal(read(tell[0], &c.thread, sizeof(c.thread)), sizeof(c.thread));
	close(tell[0]);
	return c;
}

void
client_end(struct client *c)
{
	int status;

	close(c->hold);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

void *
client_memory(void *at, size_t len, uint8_t fill)
{
	int fd = memfd_create("ram of a client", MFD_CLOEXEC);
	void *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	p = mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | (at == NULL ? 0 : MAP_FIXED), fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	return memset(p, fill, len);
}

static unsigned int
client_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

unsigned int
client_open_files(void)
{
	return client_entries("/proc/self/fd");
}

unsigned int
client_threads(void)
{
	return client_entries("/proc/self/task");
}
