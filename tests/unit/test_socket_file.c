/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Whose a socket's file is: what may be removed, and what is another process's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_common.h>

#include "guest/socket_file.h"
#include "unit.h"

static struct sockaddr_un un = {.sun_family = AF_UNIX};

static int
serve(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void
test_own(void **state)
{
	int fd = serve();

	(void)state;
	assert_true(socket_file_is_own(un.sun_path));
	close(fd);
	assert_false(socket_file_is_own(un.sun_path)); /* nobody's */
	assert_true(socket_file_make_way(un.sun_path));
	assert_int_equal(access(un.sun_path, F_OK), -1);
	assert_false(socket_file_is_own(un.sun_path)); /* not there */
	assert_true(socket_file_make_way(un.sun_path));
}

static void
test_another_process(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		serve();
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_false(socket_file_is_own(un.sun_path));
	assert_false(socket_file_make_way(un.sun_path));
	assert_int_equal(access(un.sun_path, F_OK), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(socket_file_make_way(un.sun_path));
}

/* Somebody listens and accepts nobody: asking must not wait for that. */
static void
test_nobody_is_accepted(void **state)
{
	int fd = serve(), client[8];
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(client); i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(client[i], (struct sockaddr *)&un, sizeof(un)) != 0)
			break;
	}
	assert_true(i < RTE_DIM(client) && errno == EAGAIN);
	assert_false(socket_file_make_way(un.sun_path));
	do
		close(client[i]);
	while (i-- > 0);
	close(fd);
	assert_true(socket_file_make_way(un.sun_path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_own),
			cmocka_unit_test(test_another_process),
			cmocka_unit_test(test_nobody_is_accepted),
	};

	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/vs-unit-file-%d", getpid());
	return cmocka_run_group_tests_name("socket_file", tests, NULL, NULL);
}
