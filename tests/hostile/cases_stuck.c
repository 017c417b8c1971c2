/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Pipes that can't be closed, sent so that the kernel would close them by itself in the thread that receives, or that
 * ends the connection. See cases.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "withheld.h"

#define SIZE 4096

/* How long others may wait for a CPU, which other work may have. They must not wait for the pipe at all. */
#define WAIT_MS 20000

/* A write from memory that is withheld keeps the pipe's lock, for which its last close waits. */
struct stuck {
	struct withheld *w;
	pthread_t writer;
	void *page;
	int end[2];
};

static void *
write_for_ever(void *arg)
{
	struct stuck *s = arg;

	return write(s->end[1], s->page, SIZE) < 0 ? s : NULL;
}

static bool
stuck_begin(struct stuck *s)
{
	int fd;

	s->w = withheld_open(SIZE, &fd);
	if (s->w == NULL)
		return false;
	s->page = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (s->page == MAP_FAILED || pipe2(s->end, O_CLOEXEC) != 0) {
		withheld_close(s->w);
		return false;
	}
	withheld_hold(s->w);
	if (pthread_create(&s->writer, NULL, write_for_ever, s) != 0) {
		withheld_close(s->w);
		return false;
	}
	withheld_wait(s->w);
	return true;
}

static void
stuck_end(struct stuck *s)
{
	withheld_release(s->w);
	pthread_join(s->writer, NULL);
	close(s->end[1]);
	munmap(s->page, SIZE);
	withheld_close(s->w);
}

enum when { TOO_MANY, PAYLOAD, NEVER_RECEIVED };

/* Sends the pipe's end. Returns false if that fails. */
static bool
send_stuck(int sock, int end, enum when when)
{
	struct vu_msg msg = vu_msg_u64(VU_SET_FEATURES, 0);
	int fd[9];

	for (unsigned i = 0; i < 8; i++)
		fd[i] = STDERR_FILENO;
	fd[8] = end;
	switch (when) {
	case TOO_MANY:
		return vu_send_bytes(sock, &msg, VU_HEADER_SIZE + 8, fd, 9) == 0;
	case PAYLOAD: /* in one segment with nothing before it: the header is received, then this */
		return vu_send_bytes(sock, &msg, VU_HEADER_SIZE, NULL, 0) == 0 &&
				vu_send_bytes(sock, &msg.payload, 8, &end, 1) == 0;
	case NEVER_RECEIVED:
		msg.request = UINT32_MAX;
		return vu_send_bytes(sock, &msg, VU_HEADER_SIZE + 8, NULL, 0) == 0 &&
				vu_send_bytes(sock, &msg, VU_HEADER_SIZE + 8, &end, 1) == 0;
	}
	return false;
}

static void
run_stuck(struct hostile *h, const void *arg)
{
	const enum when when = *(const enum when *)arg;
	struct stuck s;
	int sock;

	MUST(h, stuck_begin(&s), "no pipe that can't be closed: %s", strerror(errno));
	sock = party_socket(h);
	if (sock >= 0) {
		/* It may be closed before the second part is sent: then that is nothing to the switch. */
		EXPECT(h, send_stuck(sock, s.end[0], when) || when != TOO_MANY, "not sent");
		/* Only the switch has it now. */
		close(s.end[0]);
		party_newcomers(h, WAIT_MS);
		close(sock);
		party_newcomers(h, WAIT_MS);
	} else {
		close(s.end[0]);
	}
	stuck_end(&s);
}

#define WHEN(w) \
	&(const enum when) \
	{ \
		w \
	}

const struct hcase cases_stuck[] = {
		{.name = "stuck-too-many",
				.says = "a pipe that can't be closed, the ninth file of a message: others are served",
				.run = run_stuck,
				.arg = WHEN(TOO_MANY)},
		{.name = "stuck-payload",
				.says = "such a pipe in the middle of a message",
				.run = run_stuck,
				.arg = WHEN(PAYLOAD)},
		{.name = "stuck-left",
				.says = "such a pipe that is not received when the connection ends",
				.run = run_stuck,
				.arg = WHEN(NEVER_RECEIVED)},
		{.name = NULL},
};
