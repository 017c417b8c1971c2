/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Each thread knows the socket that it has accepted or connected last. The test plays librte_vhost. */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/new_socket.h"
#include "unit.h"

static struct sockaddr_un un = {.sun_family = AF_UNIX};

static void *
take(void *arg)
{
	*(int *)arg = new_socket_take();
	return NULL;
}

static void
test_last(void **state)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), front = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t thread;
	int fd, other;

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/vs-unit-new-%d", getpid());
	assert_int_equal(new_socket_take(), -1);
	assert_int_equal(connect(front, (struct sockaddr *)&un, sizeof(un)), -1);
	assert_int_equal(new_socket_take(), -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(front, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(new_socket_take(), front);
	assert_int_equal(new_socket_take(), -1);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, take, &other), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(other, -1);
	assert_int_equal(new_socket_take(), fd);
	unlink(un.sun_path);
	close(listener);
	close(front);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_last),
	};

	return cmocka_run_group_tests_name("new_socket", tests, NULL, NULL);
}
