/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Masses of messages, and messages whose cost must be bounded. See cases.h.
 *
 * librte_vhost has one thread for all connections, and handles messages that were never offered.
 * What delays that thread, or makes it allocate, concerns every guest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "guest/fd_gate.h"
#include "odd_messages.h"
#include "raw.h"

#define MESSAGES 300
#define SEED 0x5eed5eed5eedULL
#define SPARE_FDS 48 /* that the switch may still open, in the case for that */
#define STOPS 50
#define CONNECTIONS 3000
#define HELD 200
#define HELD_MS 25000 /* at 0.2 s for each they would be 40,000 */
#define UNREAD_MS 300 /* if a question finds no room for so long, nobody reads them any more */
#define GROWTH_KB (48 << 10) /* of memory, for one connection: its rings take 2 MiB */

/* 30 rings of 32768 entries: librte_vhost keeps 2 MiB for each, some of it twice under sanitizers. */
#define RINGS_KB (96 << 10)

#define VU_POSTCOPY_ADVISE 28
#define VU_POSTCOPY_LISTEN 29

/* The layout of librte_vhost; other back ends leave the padding out. */
struct inflight {
	uint64_t mmap_size, mmap_offset;
	uint16_t num_queues, queue_size;
	uint32_t padding;
};

static void
run_storm(struct hostile *h, const void *arg)
{
	uint64_t state = SEED;
	struct party *p;
	int sock;

	(void)arg;
	h->drops_any = true;
	for (unsigned i = 0; i < MESSAGES && !h->failed; i++) {
		struct odd_message m = odd_random(&state);
		struct vu_msg msg;

		/* Every other one comes from a guest that has been set up. */
		p = i % 2 == 0 ? party_open(h, NULL) : NULL;
		sock = p != NULL ? p->nic.dev.sock : party_socket(h);
		if (sock < 0)
			return;
		odd_make(&msg, &m);
		if (m.bytes > 0)
			vu_send_bytes(sock, &msg, m.bytes, msg.fd, msg.n_fds);
		else
			vu_send(sock, &msg);
		odd_free(&msg);
		if (p != NULL)
			party_close(p);
		else
			close(sock);
	}
	party_newcomers(h, INT64_MAX);
	/* Whatever state the rings were left in, the lines say which devices were stopped. */
	h->stops = subject_log_count(&h->subject, h->log_mark, " stopped: ");
}

/* Connections until there are no more file descriptors for them. */
static void
run_fds_exhausted(struct hostile *h, const void *arg)
{
	int sock[SPARE_FDS], n = 0;
	struct rlimit old, low;

	(void)arg;
	MUST(h, prlimit(h->subject.pid, RLIMIT_NOFILE, NULL, &old) == 0, "prlimit");
	low = old;
	low.rlim_cur = h->base.fds + SPARE_FDS;
	MUST(h, prlimit(h->subject.pid, RLIMIT_NOFILE, &low, NULL) == 0, "prlimit");
	while (n < SPARE_FDS && !h->failed) {
		sock[n] = party_socket(h);
		if (sock[n] >= 0)
			n++;
	}
	EXPECT(h,
			subject_log_wait(&h->subject, h->log_mark, "file descriptors run out",
					PATIENCE_MS) != NULL,
			"the log says nothing of file descriptors");
	EXPECT(h, subject_alive(&h->subject), "the switch is dead");
	while (n > 0)
		close(sock[--n]);
	MUST(h, prlimit(h->subject.pid, RLIMIT_NOFILE, &old, NULL) == 0, "prlimit");
	party_newcomers(h, INT64_MAX);
}

/* Connections that say nothing. */
static void
run_silent(struct hostile *h, const void *arg)
{
	int sock = party_socket(h);

	(void)arg;
	if (sock < 0)
		return;
	EXPECT(h, vu_wait_hangup(sock, PATIENCE_MS + FD_GATE_PATIENCE * 1000) == 0,
			"the connection is still there");
	EXPECT(h,
			subject_log_wait(&h->subject, h->log_mark, "a connection said nothing",
					PATIENCE_MS) != NULL,
			"the log does not say why");
	close(sock);
}

/* Connections that are made and closed again, every other one with a question in between. */
static void
run_connections(struct hostile *h, const void *arg)
{
	const uint32_t question[3] = {VU_GET_FEATURES, VU_VERSION, 0};

	(void)arg;
	for (unsigned i = 0; i < CONNECTIONS && !h->failed; i++) {
		int sock = party_socket(h);

		if (i % 2 == 0)
			send(sock, question, sizeof(question), MSG_NOSIGNAL);
		close(sock);
	}
	party_newcomers(h, INT64_MAX);
}

/* A header that promises a payload, and then nothing, with the connection kept open. */
static void
run_held(struct hostile *h, const void *arg)
{
	const uint32_t header[3] = {VU_SET_VRING_ADDR, VU_VERSION, 40};
	int sock = party_socket(h);

	(void)arg;
	if (sock < 0)
		return;
	EXPECT(h, vu_send_bytes(sock, header, sizeof(header), NULL, 0) == 0, "not sent");
	party_newcomers(h, INT64_MAX);
	close(sock);
}

/* Many of them: their delays must not add up to seconds for those that come after them. */
static void
run_held_many(struct hostile *h, const void *arg)
{
	const uint32_t header[3] = {VU_SET_VRING_ADDR, VU_VERSION, 40};
	int64_t begin = vu_now_ms();
	int sock[HELD];

	(void)arg;
	for (unsigned i = 0; i < HELD; i++) {
		sock[i] = party_socket(h);
		if (sock[i] >= 0)
			vu_send_bytes(sock[i], header, sizeof(header), NULL, 0);
	}
	party_newcomers(h, INT64_MAX);
	remark("others waited for %jd ms", (intmax_t)(vu_now_ms() - begin));
	EXPECT(h, vu_now_ms() - begin < HELD_MS, "others waited for %jd ms",
			(intmax_t)(vu_now_ms() - begin));
	for (unsigned i = 0; i < HELD; i++)
		close(sock[i]);
}

/* Questions without end, whose answers are never read: they fill the socket. */
static void
run_unread(struct hostile *h, const void *arg)
{
	const uint32_t question[3] = {VU_GET_FEATURES, VU_VERSION, 0};
	struct pollfd room = {.fd = party_socket(h), .events = POLLOUT};
	int sock = room.fd, waiting = 0;

	(void)arg;
	if (sock < 0)
		return;
	/* Until the switch has stopped reading, as it has no room for its answers. */
	while (waiting < 64 << 20 && poll(&room, 1, UNREAD_MS) == 1) {
		ssize_t n = send(sock, question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		waiting += n > 0 ? (int)n : 0;
	}
	remark("%d bytes of questions sent", waiting);
	party_newcomers(h, INT64_MAX);
	close(sock);
}

static struct vu_msg
inflight_msg(uint32_t request, uint64_t size, uint16_t queues, uint16_t entries)
{
	struct inflight in = {.mmap_size = size, .num_queues = queues, .queue_size = entries};
	struct vu_msg msg = vu_msg_new(request);

	memcpy(msg.payload.raw, &in, sizeof(in));
	msg.size = sizeof(in);
	msg.flags |= VU_NEED_REPLY;
	return msg;
}

/* Returns how much more memory the switch has than at first. */
static int64_t
growth_kb(struct hostile *h, const struct holdings *before)
{
	struct holdings now;

	if (!subject_holdings(&h->subject, &now))
		return 0;
	return (int64_t)now.resident_kb - (int64_t)before->resident_kb;
}

/* A buffer for requests under way, of a size that the guest may choose: 128 x 512 KiB. */
static void
run_inflight_get(struct hostile *h, const void *arg)
{
	struct vu_msg msg = inflight_msg(VU_GET_INFLIGHT_FD, 0, 128, 32767);
	int sock = party_socket(h);
	struct holdings before;

	(void)arg;
	if (sock < 0 || !subject_holdings(&h->subject, &before))
		return;
	if (vu_send(sock, &msg) == 0 && vu_recv(sock, &msg, PATIENCE_MS) == 0)
		vu_msg_close_fds(&msg);
	EXPECT(h, growth_kb(h, &before) < GROWTH_KB, "it cost %jd KiB",
			(intmax_t)growth_kb(h, &before));
	close(sock);
	party_newcomers(h, INT64_MAX);
}

/* The same buffer from the guest, and smaller than it says: the library would write past its end. */
static void
run_inflight_set(struct hostile *h, const void *arg)
{
	struct vu_msg msg = inflight_msg(VU_SET_INFLIGHT_FD, 4096, 64, 65535), answer;
	const struct odd_message fd = {.n_fds = 1};
	struct party *p = party_open(h, NULL);
	struct vu_msg with_fd;

	(void)arg;
	if (p == NULL)
		return;
	odd_make(&with_fd, &fd);
	msg.fd[0] = with_fd.fd[0];
	msg.n_fds = 1;
	if (vu_send(p->nic.dev.sock, &msg) == 0 &&
			vu_recv(p->nic.dev.sock, &answer, PATIENCE_MS) == 0)
		vu_msg_close_fds(&answer);
	odd_free(&with_fd);
	party_close(p);
	party_newcomers(h, INT64_MAX);
}

/*
 * Post-copy migration hands the guest a userfaultfd for the switch's memory: whoever touches a page
 * that the guest never supplies waits for ever.
 */
static void
run_postcopy(struct hostile *h, const void *arg)
{
	struct nic_opts opts = party_opts();
	struct vu_msg msg = vu_msg_new(VU_POSTCOPY_ADVISE), answer;
	struct vu_dev dev;
	struct vr_ring *tx;
	int sock = party_socket(h), ufd = -1;

	(void)arg;
	if (sock < 0)
		return;
	MUST(h, vu_dev_open(&dev, sock, &opts.dev) == 0, "a guest could not start");
	msg.flags |= VU_NEED_REPLY;
	if (vu_dev_query(&dev, &msg) == 0 && msg.n_fds == 1) {
		ufd = msg.fd[0];
		msg = vu_msg_new(VU_POSTCOPY_LISTEN);
		vu_dev_request(&dev, &msg);
		msg = vu_mem_table_msg(&dev.mem);
		vu_send(sock, &msg);
		if (vu_recv(sock, &answer, 2000) == 0) {
			vu_msg_close_fds(&answer);
			msg = vu_msg_new(VU_SET_MEM_TABLE);
			vu_send(sock, &msg);
		}
		dev.ack = false;
		for (unsigned i = 0; i < 2; i++)
			vu_dev_start_ring(&dev, i);
		tx = vu_dev_tx(&dev, 0);
		/* A page that nobody has touched yet. */
		raw_desc(tx, 0, dev.mem.region[0].gpa + dev.mem.region[0].size - 4096, 200, 0, 0);
		raw_post_one(tx, 0);
		h->drops_any = true;
	}
	remark("%s", ufd >= 0 ? "the switch gave a userfaultfd away" : "refused");
	EXPECT(h, ufd < 0, "a userfaultfd of the switch was given to a guest");
	party_newcomers(h, INT64_MAX);
	if (ufd >= 0)
		close(ufd);
	vu_dev_close(&dev);
}

/* As many of the largest rings as are allowed, which cost memory; and then more. */
static void
run_rings(struct hostile *h, const void *arg)
{
	struct party *p = party_open(h, NULL);
	struct holdings before;
	struct vu_msg msg;
	int64_t cost;

	(void)arg;
	if (p == NULL || !subject_holdings(&h->subject, &before))
		return;
	for (uint32_t ring = 2; ring < VU_RINGS_MAX; ring++) {
		msg = vu_msg_state(VU_SET_VRING_NUM, ring, 32768);
		MUST(h, vu_dev_request(&p->nic.dev, &msg) == 0, "ring %u was refused", ring);
	}
	cost = growth_kb(h, &before);
	EXPECT(h, cost < RINGS_KB, "they cost %jd KiB", (intmax_t)cost);
	remark("%jd KiB", (intmax_t)cost);
	msg = vu_msg_state(VU_SET_VRING_NUM, VU_RINGS_MAX, 32768);
	EXPECT(h, vu_dev_request(&p->nic.dev, &msg) != 0, "one more was made");
	party_newcomers(h, INT64_MAX);
}

/* A guest breaks its ring and starts again, many times: each time there is a line, and it works. */
static void
run_stops(struct hostile *h, const void *arg)
{
	struct party *p, *peer, *witness;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	witness = party_open(h, NULL);
	if (witness == NULL || !party_meet(peer, witness))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < STOPS && !h->failed; i++) {
		uint16_t used = vr_base(p->nic.tx);

		raw_post_one(p->nic.tx, UINT16_MAX);
		/* When others were served, the ring has been polled. A frame for p itself may be dropped. */
		party_says(peer, witness);
		EXPECT(h, vr_base(p->nic.tx) == used, "the broken ring was used");
		party_recovers(p, peer);
		h->stops++;
	}
}

const struct hcase cases_storm[] = {
		{"storm", "300 malformed messages of all kinds: alive, and no file descriptor lost",
				run_storm},
		{"fds-exhausted",
				"connections until file descriptors run out: new guests refused, then served",
				run_fds_exhausted},
		{"silent", "a connection that says nothing: ended after some seconds", run_silent},
		{"connections", "3000 connections in a row: nothing is left of them",
				run_connections},
		{"held-many", "200 messages cut short and held: other guests need not wait",
				run_held_many},
		{"held", "a message cut short and held: other guests can connect", run_held, NULL,
				0},
		{"unread", "answers that are never read: other guests can connect", run_unread,
				NULL, 0},
		{"inflight-get", "an inflight buffer of 64 MiB asked for: not made",
				run_inflight_get, NULL, 0},
		{"inflight-set",
				"an inflight buffer that is too small: nothing after it is written",
				run_inflight_set},
		{"postcopy", "post-copy migration: no worker waits for a guest's page",
				run_postcopy, NULL, 0},
		{"rings-many", "32 rings of 32768: bounded; one more: not made", run_rings, NULL,
				0},
		{"stops", "stopped and reset 50 times: a line each time, and it works", run_stops,
				NULL, 0},
		{.name = NULL},
};
