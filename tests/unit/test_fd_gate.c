/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the gate does with the file descriptors of a connection (guest/fd_gate.h). The test plays librte_vhost. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "client.h"
#include "gate.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "unit.h"

#define NOTED 256 /* most file descriptors of a connection */
#define MORE 20
#define MUCH (192 << 20) /* bytes of memory, for which there are three more seconds */

/* What is seen of the close of one file descriptor; atomic. */
static int watched = -1;
static pthread_t closer;
static bool others_go_on;

static time_t later; /* seconds by which the clock is advanced */

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += later;
	return rc;
}

static void *
ask(void *arg)
{
	fd_gate_passed(-1);
	return arg;
}

/* Returns true if another thread may call functions of the gate now. */
static bool
gate_is_free(void)
{
	struct timespec until;
	pthread_t thread;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S - later;
	return pthread_create(&thread, NULL, ask, NULL) == 0 &&
			pthread_timedjoin_np(thread, NULL, &until) == 0;
}

/* Replaces libc's function for the switch, too. */
int
close(int fd)
{
	if (fd >= 0 && fd == load_relaxed(&watched)) {
		closer = pthread_self();
		others_go_on = gate_is_free();
		store_release(&watched, -1);
	}
	return (int)syscall(SYS_close, fd);
}

/* What can't be noted is not handed on, and a connection that sends so much is ended: nothing stays open. */
static void
test_too_many(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files(), handed_on = 0, i;
	struct capture c;
	int next[2];
	char *said;

	for (i = 0; i < NOTED; i++) {
		assert_true(gate_send_memory(pair[1]));
		assert_true(gate_received(pair[0], -1) >= 0);
	}
	/* These are on their way when the connection is ended. */
	for (i = 0; i < MORE; i++)
		assert_true(gate_send_memory(pair[1]));
	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(gate_received(pair[0], -1), -1);
	for (i = 1; i < MORE; i++)
		handed_on += gate_received(pair[0], -1) != -2;
	said = capture_end(&c);
	assert_int_equal(handed_on, 0);
	assert_string_equal(said,
			"vhost-switch: socket test: a front end sent more than 256 file "
			"descriptors, and is disconnected\n");
	free(said);
	assert_false(gate_send_memory(pair[1]));
	assert_true(gate_all_closed(open + NOTED));
	assert_int_equal(client_open_files(), open + NOTED);
	fd_drain_gate(pair[0]);
	/* The thread that ended one connection begins another. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	assert_true(fd_gate_open(next[0], "test", false));
	fd_drain_gate(next[0]);
	close(next[0]);
	close(next[1]);
	assert_true(gate_all_closed(open));
}

/* Memory that is closed at the end of its connection may be large: nobody waits for its pages. */
static void
test_large_memory(void **state)
{
	int *pair = *state;
	int next[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	/* librte_vhost's thread closes it, and does not hold the lock. */
	assert_true(gate_send_memory(pair[1]));
	store_relaxed(&watched, gate_received(pair[0], -1));
	fd_drain_gate(pair[0]);
	assert_true(fd_gate_open(next[0], "test", false));
	assert_int_equal(load_acquire(&watched), -1);
	assert_true(pthread_equal(closer, pthread_self()));
	assert_true(others_go_on);
	fd_drain_gate(next[0]);
	/* If that thread does nothing for some seconds, a thread of its own closes it. */
	gate_hang_up(pair);
	gate_connect(pair);
	assert_true(gate_send_memory(pair[1]));
	store_relaxed(&watched, gate_received(pair[0], -1));
	fd_drain_gate(pair[0]);
	later += 3;
	fd_gate_tick();
	WAIT_WHILE(load_acquire(&watched) >= 0);
	assert_int_equal(load_acquire(&watched), -1);
	assert_false(pthread_equal(closer, pthread_self()));
	assert_true(others_go_on);
	later = 0;
	close(next[0]);
	close(next[1]);
}

/* librte_vhost takes long to destroy a device with much memory: nothing is closed that it may still close. */
static void
test_slow_destruction(void **state)
{
	int *pair = *state;
	int next[2], file = memfd_create("of a front end", MFD_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(posix_fallocate(file, 0, MUCH), 0);
	assert_true(gate_send(pair[1], file));
	store_relaxed(&watched, gate_received(pair[0], -1));
	fd_drain_gate(pair[0]);
	later += 3;
	fd_gate_tick();
	/* That thread is done. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	assert_true(fd_gate_open(next[0], "test", false));
	WAIT_WHILE(load_acquire(&watched) >= 0);
	assert_int_equal(load_acquire(&watched), -1);
	assert_true(pthread_equal(closer, pthread_self()));
	later = 0;
	fd_drain_gate(next[0]);
	close(next[0]);
	close(next[1]);
}

/* librte_vhost has closed the socket, whose number is another file's by now: what comes by that is not for the gate. */
static void
test_number_of_another_socket(void **state)
{
	int *pair = *state;
	int other[2], front_end = pair[1];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_int_equal(dup2(other[0], pair[0]), pair[0]);
	pair[1] = other[1];
	assert_true(gate_send(pair[1], memfd_create("memory", MFD_CLOEXEC)));
	assert_int_equal(read(pair[0], &byte, 1), 1);
	pair[1] = front_end;
	close(other[0]);
	close(other[1]);
	fd_drain_gate(pair[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, gate_setup, gate_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_too_many),
			TEST(test_large_memory),
			TEST(test_slow_destruction),
			TEST(test_number_of_another_socket),
	};

	return cmocka_run_group_tests_name("fd_gate", tests, NULL, NULL);
}
