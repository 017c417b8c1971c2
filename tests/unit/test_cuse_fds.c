/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * File descriptors that a session takes from its client: which are refused, and that its copies are
 * never taken for file descriptors of front ends (guest/fd_gate.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

#include "guest/fd_gate.h"
#include "opener.h"

static void
test_fds(void **state)
{
	static const unsigned int commands[] = {
			VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR};
	struct opener *o = *state;
	unsigned int i;

	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	for (i = 0; i < RTE_DIM(commands); i++) {
		assert_int_equal(opener_set_file(o, commands[i], 0, 9999), -EBADF);
		assert_int_equal(opener_set_file(o, commands[i], 0, -2), -EBADF);
		assert_int_equal(opener_set_file(o, commands[i], 0, o->no_event), -EINVAL);
		assert_int_equal(opener_set_file(o, commands[i], 2, o->call[0]), -ENOBUFS);
		assert_int_equal(opener_set_file(o, commands[i], 0, -1), 0);
	}
	/* Set again and again: only the last one is kept. */
	for (i = 0; i < 100; i++)
		assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 1, o->call[i % 2]), 0);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, 0, OPENER_RING), 0);
}

/* Has the gate note a file at the lowest free number, and closes it as librte_vhost does. */
static int
note_and_close(int sock, int peer, int file)
{
	char byte = 1, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int fd;

	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &file, sizeof(file));
	assert_int_equal(sendmsg(peer, &msg, 0), 1);
	assert_int_equal(recvmsg(sock, &msg, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	close(fd);
	return fd;
}

/*
 * A front end had sent a file that librte_vhost has closed since, and the session's own copy of the
 * same file has the same number. It must not be closed when the front end's connection ends.
 */
static void
test_fd_that_looks_like_a_front_ends(void **state)
{
	struct opener *o = *state;
	int pair[2], other[2], low, fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	low = dup(o->call[0]); /* the session has a handle of the process open there while it copies */
	fd = note_and_close(pair[0], pair[1], o->call[0]);
	close(low);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), 0);
	assert_int_equal(o->session.ring[0].call.fd, fd);
	fd_gate_close(pair[0]);
	/* The thread that ended one connection begins another: what was left of the first one is closed. */
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_close(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	fd_gate_close(pair[1]);
	for (unsigned int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
}

/* While a copy is made, nothing is closed by its number: the copy may have that number already. */
static void
test_nothing_is_closed_while_a_copy_is_made(void **state)
{
	struct opener *o = *state;
	int pair[2], other[2], fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
	fd = note_and_close(pair[0], pair[1], o->call[0]);
	fd_gate_making();
	assert_int_equal(dup(o->call[0]), fd);
	fd_gate_close(pair[0]);
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_made(&fd, 1);
	fd_gate_tick();
	fd_gate_close(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_close(pair[1]);
	close(fd);
	for (unsigned int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opener_setup, opener_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_fds),
			TEST(test_fd_that_looks_like_a_front_ends),
			TEST(test_nothing_is_closed_while_a_copy_is_made),
	};

	return cmocka_run_group_tests_name("cuse_fds", tests, vhost_end_setup, vhost_end_teardown);
}
