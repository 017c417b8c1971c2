/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Signals to guests whose owners make their file descriptors block. */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include <rte_common.h>

#include "guest/signal.h"
#include "unit.h"

/* A thread that waits for good ends the program, and so the test. */
#define LIMIT_SECONDS 30

/* An eventfd whose counter is full: a write to it blocks. */
static int
full(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	return fd;
}

struct caller {
	int fd;
	bool ok;
};

static void *
call(void *arg)
{
	struct caller *c = arg;

	c->ok = signal_guest(c->fd);
	return NULL;
}

/* Two threads that block on one file descriptor are both freed; a thread that comes later does not block. */
static void
test_two_wait(void **state)
{
	struct caller c[2];
	pthread_t thread[2];
	unsigned int i;
	int fd = full();

	(void)state;
	for (i = 0; i < RTE_DIM(c); i++) {
		c[i] = (struct caller){fd, true};
		assert_int_equal(pthread_create(&thread[i], NULL, call, &c[i]), 0);
	}
	for (i = 0; i < RTE_DIM(c); i++)
		pthread_join(thread[i], NULL);
	assert_false(c[0].ok && c[1].ok);
	close(fd);
}

/* Returns true if the kernel can signal for a thread: qemu-user can't, nor a kernel without CONFIG_AIO. */
static bool
has_aio(void)
{
	aio_context_t aio = 0;

	if (syscall(SYS_io_setup, 1, &aio) != 0)
		return errno != ENOSYS;
	syscall(SYS_io_destroy, aio);
	return true;
}

/* From then on nobody blocks, and guests are signalled as before. */
static void
test_careful(void **state)
{
	eventfd_t n;
	int fd, good;

	(void)state;
	if (!has_aio())
		unit_lacks("io_setup(2)"); /* a thread then still blocks, until it is interrupted */
	fd = full();
	good = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(good >= 0);
	assert_true(signal_guest(fd));
	assert_true(signal_guest(good));
	assert_true(signal_guest(good));
	assert_int_equal(eventfd_read(good, &n), 0);
	assert_int_equal(n, 2);
	close(good);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_two_wait),
			cmocka_unit_test(test_careful),
	};

	alarm(LIMIT_SECONDS);
	return signal_start() ? cmocka_run_group_tests_name("signal", tests, NULL, NULL) : 1;
}
