/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the gate does with the file descriptors of a connection (guest/fd_gate.h). The test plays librte_vhost. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "client.h"
#include "guest/apart.h"
#include "guest/fd_gate.h"
#include "unit.h"

#define NOTED 256 /* most file descriptors of a connection */
#define MORE 20
#define CLOSERS 16       /* threads that close files of one socket */
#define UNCLOSED 64      /* files that stay open for one socket */
#define MUCH (192 << 20) /* bytes of memory, for which there are three more seconds */

static int pair[2]; /* librte_vhost's end, and the front end's */

/* What is seen of the close of one file descriptor; atomic. */
static int watched = -1;
static pthread_t closer;
static bool others_go_on;

static bool withheld; /* a close by another thread than the test's waits; atomic */
static pthread_t self;

static int others = -1; /* a file that the gate must leave alone */

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
	while (load_acquire(&withheld) && !pthread_equal(self, pthread_self()))
		usleep(1000);
	return (int)syscall(SYS_close, fd);
}

static int
connect_pair(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
	return 0;
}

static int
hang_up(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* The front end sends a message with a file; it keeps none of its own. Returns false if it can't. */
static bool
front_end_sends(int file)
{
	char byte = 1, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	bool sent;

	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &file, sizeof(file));
	sent = sendmsg(pair[1], &msg, MSG_NOSIGNAL) == 1;
	close(file);
	return sent;
}

/* Returns what librte_vhost receives, which loses it; -2: the connection is over. */
static int
received(void)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int fd;

	/* librte_vhost has what was received before in this memory, such as another guest's file. */
	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &others, sizeof(others));
	if (recvmsg(pair[0], &msg, 0) == 0)
		return -2;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* The front end sends a pipe, which is rejected. */
static bool
send_pipe(void)
{
	int end[2];

	assert_int_equal(pipe(end), 0);
	close(end[1]);
	return front_end_sends(end[0]);
}

static bool
send_memory(void)
{
	int file = memfd_create("of a front end", MFD_CLOEXEC);

	assert_true(file >= 0);
	return front_end_sends(file);
}

/* What can't be noted is not handed on, and a connection that sends so much is ended: nothing stays open. */
static void
test_too_many(void **state)
{
	unsigned int open = client_open_files(), handed_on = 0, i;
	struct capture c;
	int next[2];
	char *said;

	(void)state;
	for (i = 0; i < NOTED; i++) {
		assert_true(send_memory());
		assert_true(received() >= 0);
	}
	/* These are on their way when the connection is ended. */
	for (i = 0; i < MORE; i++)
		assert_true(send_memory());
	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(received(), -1);
	for (i = 1; i < MORE; i++)
		handed_on += received() != -2;
	said = capture_end(&c);
	assert_int_equal(handed_on, 0);
	assert_string_equal(said,
			"vhost-switch: socket test: a front end sent more than 256 file "
			"descriptors, and is disconnected\n");
	free(said);
	assert_false(send_memory());
	WAIT_WHILE(client_open_files() > open + NOTED);
	assert_int_equal(client_open_files(), open + NOTED);
	fd_gate_close(pair[0]);
	/* The thread that ended one connection begins another. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	assert_true(fd_gate_open(next[0], "test", false));
	fd_gate_close(next[0]);
	close(next[0]);
	close(next[1]);
	assert_true(client_open_files() <= open);
}

/* Memory that is closed at the end of its connection may be large: nobody waits for its pages. */
static void
test_large_memory(void **state)
{
	int next[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	/* librte_vhost's thread closes it, and does not hold the lock. */
	assert_true(send_memory());
	store_relaxed(&watched, received());
	fd_gate_close(pair[0]);
	assert_true(fd_gate_open(next[0], "test", false));
	assert_int_equal(load_acquire(&watched), -1);
	assert_true(pthread_equal(closer, pthread_self()));
	assert_true(others_go_on);
	fd_gate_close(next[0]);
	/* If that thread does nothing for some seconds, a thread of its own closes it. */
	assert_true(fd_gate_open(pair[0], "test", false));
	assert_true(send_memory());
	store_relaxed(&watched, received());
	fd_gate_close(pair[0]);
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
	int next[2], file = memfd_create("of a front end", MFD_CLOEXEC);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(posix_fallocate(file, 0, MUCH), 0);
	assert_true(front_end_sends(file));
	store_relaxed(&watched, received());
	fd_gate_close(pair[0]);
	later += 3;
	fd_gate_tick();
	/* That thread is done. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	assert_true(fd_gate_open(next[0], "test", false));
	WAIT_WHILE(load_acquire(&watched) >= 0);
	assert_int_equal(load_acquire(&watched), -1);
	assert_true(pthread_equal(closer, pthread_self()));
	later = 0;
	fd_gate_close(next[0]);
	close(next[0]);
	close(next[1]);
}

static bool
all_closed(unsigned int open)
{
	WAIT_WHILE(client_open_files() > open);
	return client_open_files() <= open;
}

/* The front end connects again. */
static void
connect_again(void)
{
	fd_gate_close(pair[0]);
	close(pair[0]);
	close(pair[1]);
	connect_pair(NULL);
}

static unsigned int usual; /* threads of the test program: a sanitizer may have one */

/*
 * Whose files can't be closed sends no more of them: the connection is over at once, and then nobody may connect
 * there. As soon as they can be closed, they are.
 */
static void
test_withheld(void **state)
{
	unsigned int open = client_open_files(), i;
	struct capture c;

	(void)state;
	/* Those that closed files before have ended, so that none counts among these. */
	WAIT_WHILE(client_threads() > usual);
	self = pthread_self();
	store_release(&withheld, true);
	capture_begin(&c, STDERR_FILENO);
	/* All threads that close files wait. */
	others = memfd_create("another guest's", MFD_CLOEXEC);
	for (i = 0; i < CLOSERS; i++) {
		assert_true(send_pipe());
		assert_true(received() >= 0); /* it was replaced */
	}
	for (i = 0; i < UNCLOSED; i++) {
		assert_true(apart_accepts("test"));
		connect_again();
		assert_true(send_pipe() && send_pipe());
		assert_int_equal(received(), -1);
		assert_int_equal(received(), -2);
	}
	free(capture_end(&c));
	assert_false(apart_accepts("test"));
	/* That is nothing to other sockets. */
	assert_true(apart_accepts("other"));
	assert_true(fcntl(others, F_GETFD) >= 0);
	assert_true(apart_close(others, "other"));
	others = -1;
	store_release(&withheld, false);
	connect_again();
	assert_true(all_closed(open));
	assert_true(apart_accepts("test"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, connect_pair, hang_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_too_many),
			TEST(test_large_memory),
			TEST(test_slow_destruction),
			TEST(test_withheld),
	};

	usual = client_threads();
	return cmocka_run_group_tests_name("fd_gate", tests, NULL, NULL);
}
