/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads from clients of the control socket, and writes to them: see rpc_client.h for the contract. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_common.h>

#include "guest/fd_drain.h"
#include "run/rpc_client.h"

/* Room for a request's first bytes; it grows to RPC_REQUEST_MAX. */
#define INPUT_FIRST 4096

void
rpc_client_end(struct rpc_client *c)
{
	fd_drain_close(c->fd, RPC_CLIENT_NAME);
	free(c->in);
	free(c->out);
	*c = (struct rpc_client){.fd = -1};
}

bool
rpc_client_fill(struct rpc_client *c, bool hung_up)
{
	struct iovec to;
	struct msghdr m = {.msg_iov = &to, .msg_iovlen = 1};
	struct fd_inbox files;
	size_t size = c->in_size;
	ssize_t n;
	char *in;

	/* The buffer is full, so nothing is read. epoll tells if the other end is closed. */
	if (c->in_len == RPC_REQUEST_MAX) {
		c->ended |= hung_up;
		return true;
	}
	if (c->in_len == c->in_size) {
		size = size == 0 ? INPUT_FIRST : RTE_MIN(2 * size, (size_t)RPC_REQUEST_MAX);
		in = realloc(c->in, size);
		if (in == NULL)
			return false;
		c->in = in;
		c->in_size = size;
	}
	to = (struct iovec){.iov_base = c->in + c->in_len, .iov_len = c->in_size - c->in_len};
	n = fd_drain_receive(c->fd, &m, &files);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	/* No request has files. Closing them may take as long as their owner likes. */
	if (files.n != 0) {
		fd_inbox_drop(&files, 0, RPC_CLIENT_NAME);
		return false;
	}
	c->in_len += n;
	c->ended = n == 0;
	return true;
}

const char *
rpc_client_line(struct rpc_client *c, size_t *len)
{
	const char *end = memchr(c->in + c->looked, '\n', c->in_len - c->looked);

	c->looked = c->in_len;
	if (end == NULL)
		return NULL;
	*len = end - c->in;
	return c->in;
}

void
rpc_client_line_done(struct rpc_client *c, size_t len)
{
	c->in_len -= len + 1;
	memmove(c->in, c->in + len + 1, c->in_len);
	c->looked = 0;
}

bool
rpc_client_flush(struct rpc_client *c)
{
	ssize_t n;

	if (c->out_len == 0)
		return true;
	n = send(c->fd, c->out, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->slow = 0;
	c->out_len -= n;
	memmove(c->out, c->out + n, c->out_len);
	if (c->out_len == 0) {
		free(c->out);
		c->out = NULL;
	}
	return true;
}

bool
rpc_client_put(struct rpc_client *c, const char *text, size_t most)
{
	const size_t len = strlen(text);
	char *out;

	if (c->out_len + len + 1 > most)
		return false;
	out = realloc(c->out, c->out_len + len + 1);
	if (out == NULL)
		return false;
	memcpy(out + c->out_len, text, len); /* NOLINT: a newline follows */
	out[c->out_len + len] = '\n';
	c->out = out;
	c->out_len += len + 1;
	return true;
}

void
rpc_client_put_answer(struct rpc_client *c, char *text)
{
	if (text != NULL && !rpc_client_put(c, text, RPC_UNREAD_MAX + RPC_ANSWER_MAX))
		c->closing = true;
	free(text);
}
