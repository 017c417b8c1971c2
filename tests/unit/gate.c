/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A connection that the gate knows: see gate.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "gate.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "unit.h"

void
gate_connect(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
}

int
gate_setup(void **state)
{
	*state = unit_zalloc(2 * sizeof(int));
	gate_connect(*state);
	return 0;
}

int
gate_teardown(void **state)
{
	gate_hang_up(*state);
	free(*state);
	return 0;
}

void
gate_hang_up(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

void
gate_connect_again(int pair[2])
{
	fd_drain_gate(pair[0]);
	gate_hang_up(pair);
	gate_connect(pair);
}

bool
gate_send_all(int front_end, const int *file, unsigned int n, int flags)
{
	char byte = 1, room[CMSG_SPACE(GATE_SENT * sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	bool sent;

	*h = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), file, n * sizeof(int));
	sent = sendmsg(front_end, &msg, MSG_NOSIGNAL | flags) == 1;
	while (n-- != 0)
		close(file[n]);
	return sent;
}

bool
gate_send(int front_end, int file)
{
	return gate_send_all(front_end, &file, 1, 0);
}

bool
gate_send_pipe(int front_end)
{
	int end[2];

	assert_int_equal(pipe(end), 0);
	close(end[1]);
	return gate_send(front_end, end[0]);
}

bool
gate_send_memory(int front_end)
{
	int file = memfd_create("of a front end", MFD_CLOEXEC);

	assert_true(file >= 0);
	return gate_send(front_end, file);
}

int
gate_received(int sock, int others)
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
	if (recvmsg(sock, &msg, 0) == 0)
		return -2;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

bool
gate_all_closed(unsigned int open)
{
	WAIT_WHILE(client_open_files() > open);
	return client_open_files() <= open;
}
