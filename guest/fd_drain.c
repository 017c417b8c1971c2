/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Ends sockets by which files may have come: see fd_drain.h for the contract. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "conf/conf.h"
#include "guest/apart.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"

/*
 * So many messages and files of a connection that is over are received one by one, at most. An honest front end
 * leaves fewer; the rest is left to a thread of its own.
 */
#define DRAINED_MESSAGES 64
#define DRAINED_FILES 256

ssize_t
fd_drain_receive(int sock, struct msghdr *m, struct fd_inbox *in)
{
	ssize_t n;

	fd_gate_making();
	n = fd_inbox_receive(sock, m, MSG_DONTWAIT, in);
	fd_gate_made(in->fd, in->n);
	return n;
}

static bool
fd_drain_is_empty(int sock)
{
	int bytes;

	return ioctl(sock, FIONREAD, &bytes) == 0 && bytes == 0;
}

/* Returns true if there are no files, or if closing them waits for nobody. */
static bool
fd_drain_all_easy(const struct fd_inbox *in)
{
	unsigned int i;

	for (i = 0; i < in->n && fd_inbox_is_easy(in->fd[i]); i++)
		;
	return i == in->n;
}

bool
fd_drain(int sock, const char *of)
{
	unsigned int messages, files = 0;
	struct fd_inbox in;
	char bytes[4096];
	bool go_on = true;

	fd_inbox_begin(sock);
	shutdown(sock, SHUT_RDWR);
	for (messages = 0; go_on && messages < DRAINED_MESSAGES && files < DRAINED_FILES;
			messages++) {
		struct iovec to = {.iov_base = bytes, .iov_len = sizeof(bytes)};
		struct msghdr m = {.msg_iov = &to, .msg_iovlen = 1};

		if (fd_drain_receive(sock, &m, &in) <= 0)
			break;
		files += in.n;
		/* Who sends such files may have sent many: they are closed with the socket. */
		go_on = fd_drain_all_easy(&in);
		fd_inbox_drop(&in, 0, of);
	}
	return fd_drain_is_empty(sock);
}

void
fd_drain_close(int sock, const char *of)
{
	if (fd_drain(sock, of))
		close(sock);
	else
		apart_close_later(sock, of); /* without memory it stays open */
}

void
fd_drain_gate(int sock)
{
	char path[SOCKET_PATH_MAX];
	int own = fd_gate_close(sock, path);

	/* librte_vhost may have closed its own, so this may be the last close. */
	if (own >= 0)
		fd_drain_close(own, path);
}
