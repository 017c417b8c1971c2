/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The front end's side of a connection: see front.h for the contract. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "guest/cuse/front.h"
#include "guest/message.h"

/* Returns true if a request has an answer of its own, and no acknowledgement. */
static bool
front_is_question(const struct message *m)
{
	return m->request == MSG_GET_FEATURES || m->request == MSG_GET_PROTOCOL_FEATURES ||
			m->request == MSG_GET_VRING_BASE;
}

static int
front_send_message(int sock, const struct message *m, const int *fd, unsigned int n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(GUEST_REGIONS * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)m, MSG_HEADER + m->size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (n > 0) {
		h.msg_control = control.room;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fd, n * sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) == (ssize_t)iov.iov_len ? 0 : -ENOTCONN;
}

static bool
front_receive(int sock, void *to, size_t len)
{
	return len == 0 || recv(sock, to, len, MSG_WAITALL) == (ssize_t)len;
}

static int
front_receive_answer(int sock, uint32_t request, struct message *m)
{
	if (!front_receive(sock, m, MSG_HEADER) || m->request != request ||
			m->flags != (MSG_VERSION | MSG_REPLY) ||
			m->size != sizeof(m->payload.u64) ||
			!front_receive(sock, &m->payload, m->size))
		return -ENOTCONN;
	return 0;
}

int
front_call(int sock, struct message *m, const int *fd, unsigned int n)
{
	bool question = front_is_question(m);
	int rc;

	m->flags = MSG_VERSION | (question ? 0 : MSG_NEED_REPLY);
	rc = front_send_message(sock, m, fd, n);
	if (rc == 0)
		rc = front_receive_answer(sock, m->request, m);
	if (rc == 0 && !question && m->payload.u64 != 0)
		rc = -EINVAL;
	return rc;
}

static int
front_ask(int sock, uint32_t request, uint64_t *value)
{
	struct message m = {.request = request};
	int rc = front_call(sock, &m, NULL, 0);

	*value = m.payload.u64;
	return rc;
}

int
front_handshake(int sock, uint64_t *features)
{
	const uint64_t ack = 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK;
	struct message m = {
			.request = MSG_SET_PROTOCOL_FEATURES,
			.flags = MSG_VERSION,
			.size = sizeof(m.payload.u64),
			.payload.u64 = ack,
	};
	uint64_t protocol = 0;
	int rc = front_ask(sock, MSG_GET_FEATURES, features);

	if (rc == 0 && !(*features >> VHOST_USER_F_PROTOCOL_FEATURES & 1))
		rc = -EPROTO;
	if (rc == 0)
		rc = front_ask(sock, MSG_GET_PROTOCOL_FEATURES, &protocol);
	if (rc == 0 && !(protocol & ack))
		rc = -EPROTO;
	/* This message itself can't be acknowledged: it only agrees on acknowledgements. */
	return rc == 0 ? front_send_message(sock, &m, NULL, 0) : rc;
}

int
front_connect(const char *path, unsigned int patience, uint64_t *features)
{
	const struct timeval limit = {.tv_sec = patience};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int rc, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -errno;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
			setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
			connect(sock, (const struct sockaddr *)&un, sizeof(un)) != 0)
		rc = -errno;
	else
		rc = front_handshake(sock, features);
	if (rc == 0)
		return sock;
	close(sock);
	return rc == -ENOTCONN ? -EBUSY : rc;
}
