/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Receives files with messages: see fd_inbox.h for the contract. */
#include <string.h>
#include <unistd.h>

#include "guest/apart.h"
#include "guest/fd_inbox.h"
#include "guest/fds.h"

void
fd_inbox_begin(int sock)
{
	const int on = 1;

	setsockopt(sock, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void
fd_inbox_fill(struct fd_inbox *in, struct msghdr *m)
{
	struct cmsghdr *h;
	size_t n;

	for (h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(in->fd[0]);
		memcpy(in->fd, CMSG_DATA(h), n * sizeof(in->fd[0]));
		in->n = n;
	}
}

/* EAL cancels a thread that waits here: recvmmsg(2) can be cancelled, the bare system call can't. */
ssize_t
fd_inbox_receive(int sock, struct msghdr *m, int flags, struct fd_inbox *in)
{
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(sizeof(in->fd))];
	} room;
	struct mmsghdr one = {.msg_hdr = *m};

	in->n = 0;
	one.msg_hdr.msg_control = room.bytes;
	one.msg_hdr.msg_controllen = sizeof(room.bytes);
	if (recvmmsg(sock, &one, 1, flags, NULL) != 1)
		return -1;
	fd_inbox_fill(in, &one.msg_hdr);
	m->msg_namelen = one.msg_hdr.msg_namelen;
	m->msg_flags = one.msg_hdr.msg_flags;
	return one.msg_len;
}

unsigned int
fd_inbox_room(const struct msghdr *m)
{
	return m->msg_control == NULL || m->msg_controllen < CMSG_LEN(sizeof(int))
			? 0
			: (m->msg_controllen - CMSG_LEN(0)) / sizeof(int);
}

unsigned int
fd_inbox_give(const struct fd_inbox *in, struct msghdr *m, unsigned int room)
{
	unsigned int n = in->n < room ? in->n : room;
	struct cmsghdr *h = m->msg_control;

	if (n < in->n)
		m->msg_flags |= MSG_CTRUNC;
	if (n == 0) {
		m->msg_controllen = 0;
		return 0;
	}
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(in->fd[0]));
	memcpy(CMSG_DATA(h), in->fd, n * sizeof(in->fd[0]));
	if (m->msg_controllen > CMSG_SPACE(n * sizeof(in->fd[0])))
		m->msg_controllen = CMSG_SPACE(n * sizeof(in->fd[0]));
	return n;
}

bool
fd_inbox_is_easy(int fd)
{
	return fds_is_memory(fd) || fds_is_eventfd(fd);
}

/* Without memory it stays open, as nobody may wait for it. */
static void
fd_inbox_drop_one(int fd, const char *of)
{
	if (!fd_inbox_is_easy(fd))
		apart_close_later(fd, of);
	else if (!apart_close(fd, of))
		close(fd);
}

void
fd_inbox_drop(const struct fd_inbox *in, unsigned int first, const char *of)
{
	unsigned int i;

	for (i = first; i < in->n; i++)
		if (in->fd[i] >= 0)
			fd_inbox_drop_one(in->fd[i], of);
}
