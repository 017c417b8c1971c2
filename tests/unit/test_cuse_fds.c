/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * File descriptors that a session takes from its client: which are refused, and that its copies are
 * never taken for file descriptors of front ends (guest/fd_gate.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

#include "gate.h"
#include "guest/apart.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "opener.h"

/* More than apart.c closes and lets wait of one name's files. */
#define UNCLOSABLE 200

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
	int fd;

	assert_true(gate_send(peer, dup(file)));
	fd = gate_received(sock, -1);
	assert_true(fd >= 0);
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
	fd_drain_gate(pair[0]);
	/* The thread that ended one connection begins another: what was left of the first one is closed. */
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_drain_gate(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	fd_drain_gate(pair[1]);
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
	fd_drain_gate(pair[0]);
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_made(&fd, 1);
	fd_gate_tick();
	fd_drain_gate(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_drain_gate(pair[1]);
	close(fd);
	for (unsigned int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
}

/*
 * Makes a file that close(2) waits for: a connection whose peer (*peer) does not read what was written. The wait ends
 * when the peer closes its end.
 */
static int
unclosable(int server, int *peer)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 600};
	const int small = 4096;
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	char junk[65536] = {0};
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(getsockname(server, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	assert_int_equal(connect(sock, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	*peer = accept(server, NULL, NULL);
	assert_true(*peer >= 0);
	while (send(sock, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	return sock;
}

/* Listens on the loopback interface. */
static int
listening(void)
{
	const struct sockaddr_in any = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int small = 4096;
	int server = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	if (bind(server, (const struct sockaddr *)&any, sizeof(any)) != 0) {
		assert_int_equal(errno, EADDRNOTAVAIL);
		close(server);
		unit_lacks("address on a loopback interface");
	}
	assert_int_equal(listen(server, 1), 0);
	return server;
}

/*
 * Other clients gave files that can't be closed. A client that gave an eventfd before is served; one that did not, or
 * whose last file was another, is not until they are closed.
 */
static void
test_files_of_others_can_not_be_closed(void **state)
{
	struct opener *o = *state;
	int peer[UNCLOSABLE], server = listening();
	unsigned int n;

	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), 0);
	for (n = 0; n < UNCLOSABLE && apart_accepts("cuse"); n++)
		assert_true(apart_close_later(unclosable(server, &peer[n]), "cuse") || n > 0);
	assert_false(apart_accepts("cuse"));
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[1]), 0);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_KICK, 0, o->kick[0]), 0);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->no_event), -EINVAL);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), -EMFILE);
	assert_int_equal(opener_simple(o, VHOST_RESET_OWNER), 0);
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), -EMFILE);
	while (n > 0)
		close(peer[--n]);
	close(server);
	WAIT_WHILE(!apart_accepts("cuse"));
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opener_setup, opener_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_fds),
			TEST(test_fd_that_looks_like_a_front_ends),
			TEST(test_nothing_is_closed_while_a_copy_is_made),
			TEST(test_files_of_others_can_not_be_closed),
	};

	return cmocka_run_group_tests_name("cuse_fds", tests, vhost_end_setup, vhost_end_teardown);
}
