/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Files of a connection whose close may wait: threads of their own close them (guest/apart.h, guest/fd_drain.h). The
 * test plays librte_vhost.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/tsan.h"
#include "client.h"
#include "gate.h"
#include "guest/apart.h"
#include "guest/fd_drain.h"
#include "run/rpc_client.h"
#include "unit.h"

#define ROUNDS 20
#define CLOSERS 16  /* threads that close files of one socket */
#define UNCLOSED 64 /* files that stay open for one socket */

#ifdef TSAN_ON
#define LATE_THREADS 1 /* the sanitizer's own, which begins with the first other one */
#else
#define LATE_THREADS 0
#endif

static unsigned int threads; /* without closers: the test's, and that of an emulator (qemu-user) */
static bool withheld;        /* a close by another thread than the test's waits; atomic */
static pthread_t self;

static int others = -1; /* a file that the gate must leave alone */

/* Replaces libc's function for the switch, too. */
int
close(int fd)
{
	while (load_acquire(&withheld) && !pthread_equal(self, pthread_self()))
		usleep(1000);
	return (int)syscall(SYS_close, fd);
}

/* Those that closed files have ended: they count among what a socket may have of them. */
static void
assert_no_closers(void)
{
	WAIT_WHILE(client_threads() > threads);
	assert_true(client_threads() <= threads);
}

/*
 * Whose files can't be closed sends no more of them: the connection is over at once, and then nobody may connect
 * there. As soon as they can be closed, they are.
 */
static void
test_withheld(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files(), i;
	struct capture c;

	assert_no_closers();
	store_release(&withheld, true);
	capture_begin(&c, STDERR_FILENO);
	/* All threads that close files wait. */
	others = memfd_create("another guest's", MFD_CLOEXEC);
	for (i = 0; i < CLOSERS; i++) {
		assert_true(gate_send_pipe(pair[1]));
		assert_true(gate_received(pair[0], others) >= 0); /* it was replaced */
	}
	/* Each leaves two: one was received, and the other is closed with the connection. */
	for (i = 0; i < UNCLOSED / 2; i++) {
		assert_true(apart_accepts("test"));
		gate_connect_again(pair);
		assert_true(gate_send_pipe(pair[1]) && gate_send_pipe(pair[1]));
		assert_int_equal(gate_received(pair[0], others), -1);
		assert_int_equal(gate_received(pair[0], others), -2);
	}
	gate_connect_again(pair);
	free(capture_end(&c));
	assert_false(apart_accepts("test"));
	/* That is nothing to other sockets. */
	assert_true(apart_accepts("other"));
	assert_true(fcntl(others, F_GETFD) >= 0);
	assert_true(apart_close(others, "other"));
	others = -1;
	store_release(&withheld, false);
	gate_connect_again(pair);
	assert_true(gate_all_closed(open));
	assert_true(apart_accepts("test"));
}

/* The front end's end of a pipe whose other end was sent. */
static bool
is_closed(int end)
{
	struct pollfd p = {.fd = end};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

/*
 * What comes of a pipe that the kernel would close by itself, in librte_vhost's thread. Threads that close files wait,
 * so it is open still. `over`: as is the connection.
 */
static void
assert_closed_apart(int pair[2], int end, unsigned int open, bool over)
{
	assert_false(is_closed(end));
	if (over)
		assert_int_equal(gate_received(pair[0], others), -2);
	store_release(&withheld, false);
	WAIT_WHILE(!is_closed(end));
	assert_true(is_closed(end));
	close(end);
	gate_connect_again(pair);
	assert_true(gate_all_closed(open));
}

/* More files come than librte_vhost has room for, or (3: out of band) by a call that has none at all. */
static void
test_no_room(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files(), i;
	int file[GATE_SENT], end[2];
	char byte, room[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct capture c;

	for (i = 0; i < 4; i++) {
		assert_no_closers();
		capture_begin(&c, STDERR_FILENO);
		assert_int_equal(pipe(end), 0);
		file[i == 0 ? 2 : 0] = end[0];
		if (i == 0) {
			file[0] = memfd_create("memory", MFD_CLOEXEC);
			file[1] = memfd_create("memory", MFD_CLOEXEC);
		}
		store_release(&withheld, true);
		assert_true(gate_send_all(
				pair[1], file, i == 0 ? GATE_SENT : 1, i == 3 ? MSG_OOB : 0));
		if (i == 0) {
			assert_int_equal(recvmsg(pair[0], &msg, 0), 1);
			assert_true(msg.msg_flags & MSG_CTRUNC);
			assert_int_equal(CMSG_FIRSTHDR(&msg)->cmsg_len, CMSG_LEN(2 * sizeof(int)));
		} else {
			assert_int_equal(i == 2 ? recv(pair[0], &byte, 1, 0)
						: read(pair[0], &byte, 1),
					0);
		}
		free(capture_end(&c));
		assert_closed_apart(pair, end[1], open, i != 0);
	}
}

/* Files that nobody has received when the connection ends. */
static void
test_not_received(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files(), i;
	int end[2];

	for (i = 0; i < ROUNDS; i++) {
		assert_no_closers();
		assert_int_equal(pipe(end), 0);
		store_release(&withheld, true);
		assert_true(gate_send(pair[1], end[0]));
		assert_true(gate_send_pipe(pair[1]) && gate_send_memory(pair[1]));
		close(pair[0]);
		fd_drain_gate(pair[0]);
		assert_false(gate_send_memory(pair[1]));
		assert_closed_apart(pair, end[1], open, false);
	}
}

/* A client of the control socket that sends a file is disconnected, and so is one that has left one behind. */
static void
test_control_client(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files(), i;
	struct rpc_client c = {0};
	int end[2];

	for (i = 0; i < 2; i++) {
		assert_no_closers();
		fd_drain_gate(pair[0]);
		gate_hang_up(pair);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		c.fd = pair[0];
		pair[0] = -1;
		assert_int_equal(pipe(end), 0);
		store_release(&withheld, true);
		assert_true(gate_send(pair[1], end[0]));
		if (i == 0)
			assert_false(rpc_client_fill(&c, false));
		rpc_client_end(&c);
		assert_false(gate_send_memory(pair[1]));
		assert_closed_apart(pair, end[1], open, false);
	}
}

/*
 * A file that librte_vhost closed comes again, gets the same number, and is not wanted. It is closed once, as the
 * number may be another guest's right after that.
 */
static void
test_number_comes_again(void **state)
{
	int *pair = *state;
	unsigned int open = client_open_files();
	int memory = memfd_create("memory", MFD_CLOEXEC), again = dup(memory), fd;
	struct capture c;
	char byte;

	assert_no_closers();
	capture_begin(&c, STDERR_FILENO);
	assert_true(gate_send(pair[1], memory));
	fd = gate_received(pair[0], others);
	assert_true(fd >= 0);
	close(fd);
	store_release(&withheld, true);
	assert_true(gate_send(pair[1], again));
	assert_int_equal(read(pair[0], &byte, 1), 0);
	free(capture_end(&c));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	gate_connect_again(pair);
	gate_connect_again(pair);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	store_release(&withheld, false);
	assert_true(gate_all_closed(open));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, gate_setup, gate_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_withheld),
			TEST(test_no_room),
			TEST(test_not_received),
			TEST(test_control_client),
			TEST(test_number_comes_again),
	};

	self = pthread_self();
	threads = client_threads() + LATE_THREADS;
	return cmocka_run_group_tests_name("fd_apart", tests, NULL, NULL);
}
