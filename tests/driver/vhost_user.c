/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The vhost-user socket, seen from the front end. See vhost_user.h. */
#define _GNU_SOURCE
#include "vhost_user.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STOOD_MS 15000      /* nobody waits for something that long without a look at the time */
#define LOOK_MS 1000        /* between two looks at the time while an answer is waited for */
#define CONNECT_RETRY_MS 10 /* a back end needs some 100 ms to start: this adds little */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the ring and header fields are written as the host has them: little-endian only"
#endif

int64_t
vu_now_ms(void)
{
	static _Thread_local int64_t last, stood;
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (last != 0 && now - last > STOOD_MS)
		stood += now - last;
	last = now;
	return now - stood;
}

static int
fill_address(struct sockaddr_un *addr, const char *path)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

int
vu_connect(const char *path, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	struct sockaddr_un addr;
	int sock, err;

	err = fill_address(&addr, path);
	if (err < 0)
		return err;
	for (;;) {
		sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sock < 0)
			return -errno;
		if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return sock;
		err = -errno;
		close(sock);
		if (err != -ENOENT && err != -ECONNREFUSED && err != -EAGAIN)
			return err;
		if (vu_now_ms() >= deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, CONNECT_RETRY_MS);
	}
}

int
vu_listen(const char *path)
{
	struct sockaddr_un addr;
	int sock, err;

	err = fill_address(&addr, path);
	if (err < 0)
		return err;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	unlink(path);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, 128) < 0) {
		err = -errno;
		close(sock);
		return err;
	}
	return sock;
}

/* 0 when there is something to read (or an end of file), -ETIMEDOUT when the time is over. */
static int
wait_readable(int sock, int64_t deadline)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int64_t left;
	int n;

	do {
		left = deadline - vu_now_ms();
		n = poll(&p, 1, left > LOOK_MS ? LOOK_MS : left > 0 ? (int)left : 0);
	} while ((n == 0 && left > 0) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

int
vu_accept(int listen_fd, int timeout_ms)
{
	int sock, err;

	err = wait_readable(listen_fd, vu_now_ms() + timeout_ms);
	if (err < 0)
		return err;
	sock = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return sock < 0 ? -errno : sock;
}

static int
send_iov(int sock, struct iovec *iov, int n_iov, const int *fd, int n_fds)
{
	char control[CMSG_SPACE(sizeof(int) * VU_FDS_MAX)];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
	struct cmsghdr *cmsg;
	ssize_t n;

	if (n_fds > VU_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		memset(control, 0, sizeof(control));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(cmsg), fd, sizeof(int) * (size_t)n_fds);
	}
	for (;;) {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
		/* The file descriptors went with the first byte. */
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		while (mh.msg_iovlen > 0 && (size_t)n >= mh.msg_iov->iov_len) {
			n -= (ssize_t)mh.msg_iov->iov_len;
			mh.msg_iov++;
			mh.msg_iovlen--;
		}
		if (mh.msg_iovlen == 0)
			return 0;
		mh.msg_iov->iov_base = (char *)mh.msg_iov->iov_base + n;
		mh.msg_iov->iov_len -= (size_t)n;
	}
}

int
vu_send_bytes(int sock, const void *bytes, size_t len, const int *fd, int n_fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};

	return send_iov(sock, &iov, 1, fd, n_fds);
}

int
vu_send(int sock, const struct vu_msg *msg)
{
	uint32_t header[3] = {msg->request, msg->flags, msg->size};
	size_t payload = msg->size;
	struct iovec iov[2];

	if (payload > sizeof(msg->payload))
		payload = sizeof(msg->payload);
	iov[0] = (struct iovec){.iov_base = header, .iov_len = sizeof(header)};
	iov[1] = (struct iovec){.iov_base = (void *)(uintptr_t)&msg->payload, .iov_len = payload};
	return send_iov(sock, iov, payload > 0 ? 2 : 1, msg->fd, msg->n_fds);
}

/* Exactly `len` bytes, and what file descriptors come with them. */
static int
recv_exact(int sock, void *buf, size_t len, struct vu_msg *msg, int64_t deadline)
{
	char control[CMSG_SPACE(sizeof(int) * VU_FDS_MAX)];
	struct cmsghdr *cmsg;
	size_t done = 0;
	ssize_t n;
	int err;

	while (done < len) {
		struct iovec iov = {.iov_base = (char *)buf + done, .iov_len = len - done};
		struct msghdr mh = {
				.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control),
		};

		err = wait_readable(sock, deadline);
		if (err < 0)
			return err;
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		for (cmsg = CMSG_FIRSTHDR(&mh); cmsg != NULL; cmsg = CMSG_NXTHDR(&mh, cmsg)) {
			size_t bytes = cmsg->cmsg_len - CMSG_LEN(0);
			int room = VU_FDS_MAX - msg->n_fds;

			if (cmsg->cmsg_type != SCM_RIGHTS || (int)(bytes / sizeof(int)) > room)
				continue;
			memcpy(msg->fd + msg->n_fds, CMSG_DATA(cmsg), bytes);
			msg->n_fds += (int)(bytes / sizeof(int));
		}
		done += (size_t)n;
	}
	return 0;
}

int
vu_recv(int sock, struct vu_msg *msg, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	uint32_t header[3];
	int err;

	memset(msg, 0, sizeof(*msg));
	err = recv_exact(sock, header, sizeof(header), msg, deadline);
	if (err == 0) {
		msg->request = header[0];
		msg->flags = header[1];
		msg->size = header[2];
		if (msg->size > sizeof(msg->payload))
			err = -EPROTO;
		else
			err = recv_exact(sock, &msg->payload, msg->size, msg, deadline);
	}
	if (err < 0)
		vu_msg_close_fds(msg);
	return err;
}

struct vu_msg
vu_msg_new(uint32_t request)
{
	return (struct vu_msg){.request = request, .flags = VU_VERSION};
}

struct vu_msg
vu_msg_u64(uint32_t request, uint64_t value)
{
	struct vu_msg msg = vu_msg_new(request);

	msg.payload.u64 = value;
	msg.size = sizeof(msg.payload.u64);
	return msg;
}

struct vu_msg
vu_msg_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_msg msg = vu_msg_new(request);

	msg.payload.state.index = index;
	msg.payload.state.num = num;
	msg.size = sizeof(msg.payload.state);
	return msg;
}

void
vu_msg_close_fds(struct vu_msg *msg)
{
	while (msg->n_fds > 0)
		close(msg->fd[--msg->n_fds]);
}

int
vu_wait_hangup(int sock, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	char waste[512];
	ssize_t n;
	int err;

	for (;;) {
		err = wait_readable(sock, deadline);
		if (err < 0)
			return err;
		n = recv(sock, waste, sizeof(waste), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}
