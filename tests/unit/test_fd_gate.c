/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the gate does with the file descriptors of a connection (guest/fd_gate.h). The test plays librte_vhost. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/tsan.h"
#include "client.h"
#include "guest/apart.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "run/rpc_client.h"
#include "unit.h"

#define NOTED 256 /* most file descriptors of a connection */
#define MORE 20
#define FILES_SENT 3     /* most files with a message */
#define CLOSERS 16       /* threads that close files of one socket */
#define UNCLOSED 64      /* files that stay open for one socket */
#define MUCH (192 << 20) /* bytes of memory, for which there are three more seconds */

#ifdef TSAN_ON
#define THREADS 2 /* the test's, and the sanitizer's own, which begins with the first other one */
#else
#define THREADS 1
#endif

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

/* The front end sends a message with files; it keeps none of its own. Returns false if it can't. */
static bool
front_end_sends_all(const int *file, unsigned int n, int flags)
{
	char byte = 1, room[CMSG_SPACE(FILES_SENT * sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	bool sent;

	*h = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), file, n * sizeof(int));
	sent = sendmsg(pair[1], &msg, MSG_NOSIGNAL | flags) == 1;
	while (n-- != 0)
		close(file[n]);
	return sent;
}

static bool
front_end_sends(int file)
{
	return front_end_sends_all(&file, 1, 0);
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

/* What is on its way when its connection ends may be closed by a thread of its own. */
static bool
all_closed(unsigned int open)
{
	WAIT_WHILE(client_open_files() > open);
	return client_open_files() <= open;
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
	assert_true(all_closed(open + NOTED));
	assert_int_equal(client_open_files(), open + NOTED);
	fd_drain_gate(pair[0]);
	/* The thread that ended one connection begins another. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, next), 0);
	assert_true(fd_gate_open(next[0], "test", false));
	fd_drain_gate(next[0]);
	close(next[0]);
	close(next[1]);
	assert_true(all_closed(open));
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
	fd_drain_gate(pair[0]);
	assert_true(fd_gate_open(next[0], "test", false));
	assert_int_equal(load_acquire(&watched), -1);
	assert_true(pthread_equal(closer, pthread_self()));
	assert_true(others_go_on);
	fd_drain_gate(next[0]);
	/* If that thread does nothing for some seconds, a thread of its own closes it. */
	hang_up(NULL);
	connect_pair(NULL);
	assert_true(send_memory());
	store_relaxed(&watched, received());
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
	int next[2], file = memfd_create("of a front end", MFD_CLOEXEC);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(posix_fallocate(file, 0, MUCH), 0);
	assert_true(front_end_sends(file));
	store_relaxed(&watched, received());
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

/* The front end connects again. */
static void
connect_again(void)
{
	fd_drain_gate(pair[0]);
	close(pair[0]);
	close(pair[1]);
	connect_pair(NULL);
}

/* Those that closed files have ended: they count among what a socket may have of them. */
static void
assert_no_closers(void)
{
	WAIT_WHILE(client_threads() > THREADS);
	assert_true(client_threads() <= THREADS);
}

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
	assert_no_closers();
	store_release(&withheld, true);
	capture_begin(&c, STDERR_FILENO);
	/* All threads that close files wait. */
	others = memfd_create("another guest's", MFD_CLOEXEC);
	for (i = 0; i < CLOSERS; i++) {
		assert_true(send_pipe());
		assert_true(received() >= 0); /* it was replaced */
	}
	/* Each leaves two: one was received, and the other is closed with the connection. */
	for (i = 0; i < UNCLOSED / 2; i++) {
		assert_true(apart_accepts("test"));
		connect_again();
		assert_true(send_pipe() && send_pipe());
		assert_int_equal(received(), -1);
		assert_int_equal(received(), -2);
	}
	connect_again();
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
assert_closed_apart(int end, unsigned int open, bool over)
{
	assert_false(is_closed(end));
	if (over)
		assert_int_equal(received(), -2);
	store_release(&withheld, false);
	WAIT_WHILE(!is_closed(end));
	assert_true(is_closed(end));
	close(end);
	connect_again();
	assert_true(all_closed(open));
}

/* More files come than librte_vhost has room for, or (3: out of band) by a call that has none at all. */
static void
test_no_room(void **state)
{
	unsigned int open = client_open_files(), i;
	int file[FILES_SENT], end[2];
	char byte, room[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct capture c;

	(void)state;
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
		assert_true(front_end_sends_all(
				file, i == 0 ? FILES_SENT : 1, i == 3 ? MSG_OOB : 0));
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
		assert_closed_apart(end[1], open, i != 0);
	}
}

/* Files that nobody has received when the connection ends. */
static void
test_not_received(void **state)
{
	unsigned int open = client_open_files(), i;
	int end[2];

	(void)state;
	for (i = 0; i < MORE; i++) {
		assert_no_closers();
		assert_int_equal(pipe(end), 0);
		store_release(&withheld, true);
		assert_true(front_end_sends(end[0]));
		assert_true(send_pipe() && send_memory());
		close(pair[0]);
		fd_drain_gate(pair[0]);
		assert_false(send_memory());
		assert_closed_apart(end[1], open, false);
	}
}

/* A client of the control socket that sends a file is disconnected, and so is one that has left one behind. */
static void
test_control_client(void **state)
{
	unsigned int open = client_open_files(), i;
	struct rpc_client c = {0};
	int end[2];

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_no_closers();
		fd_drain_gate(pair[0]);
		hang_up(NULL);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		c.fd = pair[0];
		pair[0] = -1;
		assert_int_equal(pipe(end), 0);
		store_release(&withheld, true);
		assert_true(front_end_sends(end[0]));
		if (i == 0)
			assert_false(rpc_client_fill(&c, false));
		rpc_client_end(&c);
		assert_false(send_memory());
		assert_closed_apart(end[1], open, false);
	}
}

/* librte_vhost has closed the socket, whose number is another file's by now: what comes by that is not for the gate. */
static void
test_number_of_another_socket(void **state)
{
	int other[2], front_end = pair[1];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_int_equal(dup2(other[0], pair[0]), pair[0]);
	pair[1] = other[1];
	assert_true(front_end_sends(memfd_create("memory", MFD_CLOEXEC)));
	assert_int_equal(read(pair[0], &byte, 1), 1);
	pair[1] = front_end;
	close(other[0]);
	close(other[1]);
	fd_drain_gate(pair[0]);
}

/*
 * A file that librte_vhost closed comes again, gets the same number, and is not wanted. It is closed once, as the
 * number may be another guest's right after that.
 */
static void
test_number_comes_again(void **state)
{
	unsigned int open = client_open_files();
	int memory = memfd_create("memory", MFD_CLOEXEC), again = dup(memory), fd;
	struct capture c;
	char byte;

	(void)state;
	assert_no_closers();
	capture_begin(&c, STDERR_FILENO);
	assert_true(front_end_sends(memory));
	fd = received();
	assert_true(fd >= 0);
	close(fd);
	store_release(&withheld, true);
	assert_true(front_end_sends(again));
	assert_int_equal(read(pair[0], &byte, 1), 0);
	free(capture_end(&c));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	connect_again();
	connect_again();
	assert_true(fcntl(fd, F_GETFD) >= 0);
	store_release(&withheld, false);
	assert_true(all_closed(open));
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
			TEST(test_no_room),
			TEST(test_not_received),
			TEST(test_control_client),
			TEST(test_number_of_another_socket),
			TEST(test_number_comes_again),
	};

	self = pthread_self();
	return cmocka_run_group_tests_name("fd_gate", tests, NULL, NULL);
}
