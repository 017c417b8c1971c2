/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* File descriptors that are no eventfds, or that block. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "raw.h"

#define REPEATS 500
#define BLOCKERS 10
#define BLOCK_MS 300 /* how long each of them would block a worker */
#define EVENT_FULL 0xfffffffffffffffeULL

enum kind { PIPE_FULL, SOCKET_FULL, FILE_MEMFD, DEV_NULL, PIPE_READ_END };

/* Fills what can be filled and leaves it blocking. */
static void
fill(int fd)
{
	static const char zeroes[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, zeroes, sizeof(zeroes)) > 0 || write(fd, zeroes, 1) > 0)
		continue;
	fcntl(fd, F_SETFL, flags);
}

static int
make_fd(enum kind kind, int *other)
{
	int fd[2] = {-1, -1};

	*other = -1;
	switch (kind) {
	case PIPE_FULL:
	case PIPE_READ_END:
		if (pipe2(fd, O_CLOEXEC) < 0)
			return -1;
		fill(fd[1]);
		*other = fd[kind == PIPE_READ_END];
		return fd[kind != PIPE_READ_END];
	case SOCKET_FULL:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
			return -1;
		fill(fd[0]);
		*other = fd[1];
		return fd[0];
	case FILE_MEMFD:
		return memfd_create("no-event", MFD_CLOEXEC);
	case DEV_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	return -1;
}

static int
set_fd(struct party *p, uint32_t request, unsigned ring, int fd)
{
	struct vu_msg msg = vu_msg_u64(request, ring | (fd < 0 ? VU_VRING_NOFD : 0));

	msg.fd[0] = fd;
	msg.n_fds = fd >= 0;
	return vu_dev_request(&p->nic.dev, &msg);
}

/* Makes it the call file descriptor of both rings of `bad`, and has frames sent both ways. */
static void
call_by(struct hostile *h, struct party *bad, struct party *peer, int fd)
{
	EXPECT(h,
			set_fd(bad, VU_SET_VRING_CALL, 0, fd) == 0 &&
					set_fd(bad, VU_SET_VRING_CALL, 1, fd) == 0 &&
					vu_dev_sync(&bad->nic.dev) == 0,
			"the message was refused");
	vr_call_enable(bad->nic.rx, true);
	vr_call_enable(bad->nic.tx, true);
	for (unsigned i = 0; i < 50 && !h->failed; i++)
		if (!party_says(peer, bad) || !party_says(bad, peer))
			break;
}

/* A call file descriptor that is no eventfd: the device is stopped, and no worker blocks. */
static void
run_call(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	int other, fd;

	if (!party_pair(h, &bad, &peer))
		return;
	fd = make_fd(*(const enum kind *)arg, &other);
	MUST(h, fd >= 0, "no file descriptor");
	EXPECT(h, set_fd(bad, VU_SET_VRING_CALL, 0, fd) == 0, "the message was refused");
	close(fd);
	if (expect_stop(h, bad, FAULT_CALLFD)) {
		raw_untouched(bad, peer);
		party_recovers(bad, peer);
	}
	if (other >= 0)
		close(other);
}

/* An eventfd whose counter is full and that blocks: every signal would wait for ever. */
static void
run_full_event(struct hostile *h, const void *arg)
{
	uint64_t full = EVENT_FULL;
	struct party *bad, *peer;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)arg;
	MUST(h, fd >= 0 && write(fd, &full, sizeof(full)) == sizeof(full), "no eventfd");
	if (!party_pair(h, &bad, &peer))
		return;
	call_by(h, bad, peer, fd);
	close(fd);
}

/*
 * The switch shares the flag that keeps a write from blocking (O_NONBLOCK) with the guest, which
 * clears it once the file descriptor is in use, and fills the counter.
 */
static void
run_made_blocking(struct hostile *h, const void *arg)
{
	uint64_t full = EVENT_FULL, count;
	struct party *bad, *peer, *other;
	int fd = eventfd(0, EFD_CLOEXEC);
	uint8_t frame[200];
	bool careful;

	(void)arg;
	if (!party_pair(h, &bad, &peer))
		return;
	other = party_open(h, NULL);
	if (other == NULL || !party_meet(other, peer))
		return;
	h->drops_any = true;
	EXPECT(h, set_fd(bad, VU_SET_VRING_CALL, 0, fd) == 0 && vu_dev_sync(&bad->nic.dev) == 0,
			"the message was refused");
	vr_call_enable(bad->nic.rx, true);
	careful = is_careful(h);
	MUST(h, fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0, "fcntl");
	/* The switch may signal once at the start: empty the counter, fill it, and make it block. */
	while (read(fd, &count, sizeof(count)) > 0)
		continue;
	MUST(h, write(fd, &full, sizeof(full)) == sizeof(full) && fcntl(fd, F_SETFL, O_RDWR) == 0,
			"the counter could not be filled");
	frame_make(frame, bad->mac, peer->mac, TYPE_CASE, ++h->seq, sizeof(frame));
	MUST(h, nic_send(&peer->nic, frame, sizeof(frame), NULL) == 0, "no frame sent");
	/* Whatever happens to the bad guest, these two go on. */
	party_says(other, peer);
	party_says(peer, other);
	EXPECT(h, party_drain(peer) == 0, "a worker hangs in the write");
	/* Releases a worker that hangs in it, so that further cases mean something. */
	EXPECT(h, read(fd, &count, sizeof(count)) == sizeof(count), "read");
	close(fd);
	expect_blocked(h, bad, careful);
}

/* One guest after another does that: a worker must not be blocked again and again. */
static void
run_blocking_many(struct hostile *h, const void *arg)
{
	uint64_t full = EVENT_FULL, count;
	uint8_t frame[200];

	(void)arg;
	h->drops_any = true;
	for (unsigned i = 0; i < BLOCKERS && !h->failed; i++) {
		struct party *bad, *peer;
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (!party_pair(h, &bad, &peer))
			return;
		EXPECT(h,
				set_fd(bad, VU_SET_VRING_CALL, 0, fd) == 0 &&
						vu_dev_sync(&bad->nic.dev) == 0,
				"the message was refused");
		vr_call_enable(bad->nic.rx, true);
		while (read(fd, &count, sizeof(count)) > 0)
			continue;
		MUST(h,
				write(fd, &full, sizeof(full)) == sizeof(full) &&
						fcntl(fd, F_SETFL, O_RDWR) == 0,
				"the counter could not be filled");
		frame_make(frame, bad->mac, peer->mac, TYPE_CASE, ++h->seq, sizeof(frame));
		MUST(h, nic_send(&peer->nic, frame, sizeof(frame), NULL) == 0, "no frame sent");
		/* By now the signal is sent, or the worker blocks in it. */
		poll(NULL, 0, BLOCK_MS);
		close(fd);
		party_close(bad);
		party_close(peer);
	}
	/*
	 * The first guest is caught in the act. From then on no worker blocks, and there is no
	 * reason to stop a device.
	 */
	h->stops = subject_log_count(&h->subject, h->log_mark, " stopped: ");
	EXPECT(h, h->stops <= 1, "%u guests made a worker wait", h->stops);
}

/* A file descriptor by which User Mode Linux is signalled, and the state of its other end. */
enum uml_end { END_FULL, END_CLOSED, END_MADE_BLOCKING };

static int
make_uml_socket(enum uml_end how, int *other)
{
	int fd[2];

	*other = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	if (how == END_CLOSED) {
		close(fd[1]);
		return fd[0];
	}
	fill(fd[0]);
	*other = fd[1];
	if (how == END_MADE_BLOCKING)
		fcntl(fd[0], F_SETFL, O_RDWR);
	return fd[0];
}

/*
 * A socket that nobody reads, or whose other end is closed: signals are lost, and no worker blocks
 * or dies of it.
 */
static void
run_uml(struct hostile *h, const void *arg)
{
	struct party *bad = party_open_uml(h, NULL), *peer = party_open(h, NULL);
	int other, fd = make_uml_socket(*(const enum uml_end *)arg, &other);

	MUST(h, fd >= 0, "no socket");
	if (bad == NULL || peer == NULL || !party_meet(bad, peer))
		return;
	call_by(h, bad, peer, fd);
	close(fd);
	if (other >= 0)
		close(other);
}

/* It is signalled like an eventfd: with eight bytes. */
static void
run_uml_signal(struct hostile *h, const void *arg)
{
	struct party *uml = party_open_uml(h, NULL), *peer = party_open(h, NULL);
	uint64_t n = 0;
	int fd[2];

	(void)arg;
	MUST(h, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0,
			"no socket");
	if (uml == NULL || peer == NULL || !party_meet(uml, peer))
		return;
	EXPECT(h, set_fd(uml, VU_SET_VRING_CALL, 0, fd[0]) == 0 && vu_dev_sync(&uml->nic.dev) == 0,
			"the message was refused");
	while (read(fd[1], &n, sizeof(n)) > 0)
		continue;
	vr_call_enable(uml->nic.rx, true);
	party_says(peer, uml);
	EXPECT(h,
			poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, PATIENCE_MS) ==
							1 &&
					read(fd[1], &n, sizeof(n)) == sizeof(n) && n == 1,
			"no signal");
	close(fd[0]);
	close(fd[1]);
}

/* A pipe is no eventfd: another of its writers could hold its lock for ever. */
static void
run_uml_pipe(struct hostile *h, const void *arg)
{
	struct party *bad = party_open_uml(h, NULL), *peer = party_open(h, NULL);
	int other, fd = make_fd(PIPE_FULL, &other);

	(void)arg;
	MUST(h, fd >= 0, "no pipe");
	if (bad == NULL || peer == NULL || !party_meet(bad, peer))
		return;
	EXPECT(h, set_fd(bad, VU_SET_VRING_CALL, 0, fd) == 0, "the message was refused");
	close(fd);
	expect_stop(h, bad, FAULT_CALLFD);
	close(other);
}

/* No call file descriptor, and kick file descriptors that are no eventfds: a poll-mode switch needs neither. */
static void
run_odd_kick(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	int other, fd = make_fd(PIPE_FULL, &other);

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	for (unsigned ring = 0; ring < 2; ring++) {
		EXPECT(h, set_fd(p, VU_SET_VRING_CALL, ring, -1) == 0, "NOFD was refused");
		EXPECT(h, set_fd(p, VU_SET_VRING_KICK, ring, fd) == 0, "a kick was refused");
		EXPECT(h, set_fd(p, VU_SET_VRING_ERR, ring, fd) == 0, "an err was refused");
	}
	close(fd);
	close(other);
	vr_call_enable(p->nic.rx, true);
	for (unsigned i = 0; i < 20 && !h->failed; i++)
		if (!party_says(peer, p) || !party_says(p, peer))
			return;
}

/* One file descriptor after another: each replaces the last one, which is closed. */
static void
run_repeated(struct hostile *h, const void *arg)
{
	static const uint32_t requests[] = {VU_SET_VRING_CALL, VU_SET_VRING_KICK, VU_SET_VRING_ERR};
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	for (unsigned i = 0; i < REPEATS && !h->failed; i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		EXPECT(h, set_fd(p, requests[i % 3], i / 3 % 2, fd) == 0, "message %u refused", i);
		close(fd);
		if (i % 50 == 0 && !party_says(p, peer))
			return;
	}
	party_says(p, peer);
	party_says(peer, p);
}

#define END(e) \
	&(const enum uml_end) \
	{ \
		e \
	}
#define KIND(k) \
	&(const enum kind) \
	{ \
		k \
	}

const struct hcase cases_fds[] = {
		{"call-pipe", "call file descriptor is a full pipe: stopped", run_call,
				KIND(PIPE_FULL), 0},
		{"call-pipe-end", "call file descriptor is a pipe's read end: stopped", run_call,
				KIND(PIPE_READ_END), 0},
		{"call-socket", "call file descriptor is a full socket: stopped", run_call,
				KIND(SOCKET_FULL), 0},
		{"call-memfd", "call file descriptor is a file: stopped", run_call,
				KIND(FILE_MEMFD), 0},
		{"call-null", "call file descriptor is /dev/null: stopped", run_call,
				KIND(DEV_NULL), 0},
		{"call-full", "call file descriptor is a full, blocking eventfd: signals are lost, no more",
				run_full_event, NULL, 0},
		{"call-made-blocking",
				"call file descriptor made blocking, and full, while in use: others go on",
				run_made_blocking, NULL, 0},
		{"call-blocking-many",
				"10 guests do that in turn: one holds a worker up, for a moment",
				run_blocking_many, NULL, 0},
		{"uml-signal", "User Mode Linux is signalled by its socket", run_uml_signal, NULL,
				0},
		{"uml-full", "its socket is full: signals are lost, no more", run_uml,
				END(END_FULL), 0},
		{"uml-made-blocking", "its socket is full, and made to block: the same", run_uml,
				END(END_MADE_BLOCKING), 0},
		{"uml-closed", "its socket has no other end: the same", run_uml, END(END_CLOSED),
				0},
		{"uml-pipe", "its call file descriptor is a pipe: stopped", run_uml_pipe, NULL, 0},
		{"kick-odd", "no call file descriptor, and a pipe for kick and err: works",
				run_odd_kick, NULL, 0},
		{"fds-repeated", "500 eventfds, one after the other: none is left open",
				run_repeated, NULL, 0},
		{.name = NULL},
};
