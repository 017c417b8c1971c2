/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Single malformed messages: truncated, repeated, out of order, with wrong file descriptors.
 * See cases.h.
 *
 * Each is sent twice: as the first message of a connection, and by a guest that works. The switch
 * may answer as it likes (a refusal, the end of the connection, or nothing), except to those marked
 * REFUSED. What counts is that it lives, that others notice nothing, and that everything is given
 * back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "odd_messages.h"
#include "raw.h"

/* What happened to a message. */
static const char *
verdict_of(int sock, const struct odd_message *m)
{
	struct vu_msg msg, answer;
	int err;

	odd_make(&msg, m);
	err = m->bytes > 0 ? vu_send_bytes(sock, &msg, m->bytes, msg.fd, msg.n_fds)
			   : vu_send(sock, &msg);
	odd_free(&msg);
	if (err < 0)
		return "closed";
	if (m->bytes > 0)
		return "cut";
	/* The question that follows is answered unless the connection is closed. */
	msg = vu_msg_new(VU_GET_FEATURES);
	if (vu_send(sock, &msg) < 0)
		return "closed";
	do {
		err = vu_recv(sock, &answer, PATIENCE_MS);
		if (err == 0)
			vu_msg_close_fds(&answer);
		if (err == 0 && answer.request == m->request && answer.request != VU_GET_FEATURES &&
				answer.size == 8 && answer.payload.u64 != 0)
			return "refused";
	} while (err == 0 && answer.request != VU_GET_FEATURES);
	return err == 0 ? "taken" : err == -ETIMEDOUT ? "silence" : "closed";
}

static void
judge(struct hostile *h, const struct odd_message *m, const char *when, const char *what)
{
	EXPECT(h, strcmp(what, "silence") != 0, "%s: no answer any more", when);
	EXPECT(h, !m->must_refuse || strcmp(what, "taken") != 0, "%s: it was taken", when);
	remark("%s: %s", when, what);
}

static void
run(struct hostile *h, const void *arg)
{
	const struct odd_message *m = arg;
	struct party *bad, *peer;
	int sock = party_socket(h);

	if (sock < 0)
		return;
	judge(h, m, "at first", verdict_of(sock, m));
	close(sock);
	if (!party_pair(h, &bad, &peer))
		return;
	h->drops_any = true;
	judge(h, m, "while running", verdict_of(bad->nic.dev.sock, m));
	party_close(bad);
	h->stops = stops_of(h, bad);
	bad = party_open(h, NULL);
	if (bad != NULL)
		party_meet(bad, peer);
}

#define CASE(n, text, ...) \
	{ \
		"msg-" n, text, run, &(const struct odd_message){__VA_ARGS__}, 0 \
	}
#define TABLE(n, text, r, ...) \
	CASE("table-" n, text, .request = VU_SET_MEM_TABLE, .must_refuse = true, .region = r, \
			__VA_ARGS__)
#define REGION(...) \
	{ \
		__VA_ARGS__ \
	}

const struct hcase cases_message[] = {
		CASE("cut-header", "half a header, then the end", .request = VU_GET_FEATURES,
				.bytes = 6),
		CASE("cut-payload", "half a payload, then the end", .request = VU_SET_VRING_ADDR,
				.size = 40, .bytes = 30),
		CASE("cut-with-fds", "half a header with file descriptors, then the end",
				.request = VU_SET_MEM_TABLE, .bytes = 6, .n_fds = 8),
		CASE("size-huge", "a payload of 4 GiB promised", .request = VU_SET_FEATURES,
				.size = UINT32_MAX, .must_refuse = true),
		CASE("size-small", "SET_VRING_ADDR without payload", .request = VU_SET_VRING_ADDR),
		CASE("table-no-payload", "SET_MEM_TABLE without payload",
				.request = VU_SET_MEM_TABLE),
		CASE("version", "a version that does not exist", .request = VU_GET_QUEUE_NUM,
				.flags = 3),
		CASE("reply-flag", "a request that claims to be a reply", .request = VU_SET_OWNER,
				.flags = VU_VERSION | VU_REPLY),
		CASE("request-0", "request 0", .request = 0, .must_refuse = true),
		CASE("request-41", "the first unknown request", .request = 41, .must_refuse = true),
		CASE("request-max", "request 0xffffffff", .request = UINT32_MAX,
				.must_refuse = true),
		CASE("request-fds", "an unknown request with file descriptors", .request = 77,
				.n_fds = 8, .must_refuse = true),
		CASE("fds-unwanted", "file descriptors with a request that takes none",
				.request = VU_SET_FEATURES, .size = 8, .n_fds = 3,
				.must_refuse = true),
		CASE("fds-many", "60 file descriptors with a memory table",
				.request = VU_SET_MEM_TABLE, .size = 40, .value = 1, .n_fds = 60,
				.must_refuse = true),
		CASE("fds-missing", "SET_VRING_KICK without its file descriptor",
				.request = VU_SET_VRING_KICK, .size = 8, .must_refuse = true),
		CASE("fds-two", "SET_VRING_CALL with two file descriptors",
				.request = VU_SET_VRING_CALL, .size = 8, .n_fds = 2,
				.must_refuse = true),
		CASE("fds-nofd", "SET_VRING_CALL with NOFD and a file descriptor",
				.request = VU_SET_VRING_CALL, .size = 8, .value = VU_VRING_NOFD,
				.n_fds = 1, .must_refuse = true),
		CASE("index-2", "a ring of a pair that was not negotiated",
				.request = VU_SET_VRING_NUM, .size = 8, .value = 2 | 256ULL << 32),
		CASE("index-255", "ring 255", .request = VU_SET_VRING_ENABLE, .size = 8,
				.value = 255 | 1ULL << 32, .must_refuse = true),
		CASE("index-256", "ring 256", .request = VU_SET_VRING_NUM, .size = 8, .value = 256,
				.must_refuse = true),
		CASE("index-max", "ring 0xffffffff", .request = VU_GET_VRING_BASE, .size = 8,
				.value = UINT32_MAX, .must_refuse = true),
		CASE("index-addr", "SET_VRING_ADDR of ring 1000", .request = VU_SET_VRING_ADDR,
				.size = 40, .value = 1000, .must_refuse = true),
		CASE("index-kick", "SET_VRING_KICK of ring 255", .request = VU_SET_VRING_KICK,
				.size = 8, .value = 255, .n_fds = 1),
		CASE("base-again", "GET_VRING_BASE by itself", .request = VU_GET_VRING_BASE,
				.size = 8),
		CASE("protocol-all", "protocol features of ones",
				.request = VU_SET_PROTOCOL_FEATURES, .size = 8, .value = UINT64_MAX,
				.must_refuse = true),
		CASE("mtu", "an MTU of 3", .request = VU_NET_SET_MTU, .size = 8, .value = 3,
				.must_refuse = true),
		CASE("rarp", "SEND_RARP", .request = VU_SEND_RARP, .size = 8, .value = UINT64_MAX),
		CASE("log-base", "SET_LOG_BASE with a file that is too small",
				.request = VU_SET_LOG_BASE, .size = 16, .value = 1 << 20,
				.n_fds = 1),
		CASE("log-base-huge", "SET_LOG_BASE of 2^63 bytes", .request = VU_SET_LOG_BASE,
				.size = 16, .value = 1ULL << 63, .n_fds = 1, .must_refuse = true),
		CASE("log-fd", "SET_LOG_FD", .request = VU_SET_LOG_FD, .n_fds = 1),
		CASE("backend-fd", "SET_BACKEND_REQ_FD", .request = VU_SET_BACKEND_REQ_FD,
				.n_fds = 1),
		CASE("reset-device", "RESET_DEVICE", .request = VU_RESET_DEVICE),
		CASE("status", "SET_STATUS of ones", .request = VU_SET_STATUS, .size = 8,
				.value = UINT64_MAX, .must_refuse = true),
		CASE("iotlb", "an IOTLB message", .request = 22, .size = 40, .value = 0x1000),
		CASE("postcopy-fds", "POSTCOPY_ADVISE with file descriptors", .request = 28,
				.n_fds = 8, .must_refuse = true),
		CASE("inflight-fds", "GET_INFLIGHT_FD with file descriptors and no payload",
				.request = VU_GET_INFLIGHT_FD, .n_fds = 8, .must_refuse = true),
		TABLE("regions-0", "a memory table without regions", REGION(0), .no_regions = true),
		TABLE("regions-9", "a memory table of 9 regions", REGION(.size = 4096), .value = 9,
				.n_fds = 9),
		TABLE("regions-max", "a memory table of 2^32 - 1 regions", REGION(.size = 4096),
				.value = UINT32_MAX, .n_fds = 1),
		TABLE("fds-fewer", "two regions, one file descriptor", REGION(.size = 4096),
				.value = 2, .n_fds = 1),
		TABLE("fds-more", "one region, two file descriptors", REGION(.size = 4096),
				.value = 1, .n_fds = 2),
		TABLE("size-0", "a region of no bytes", REGION(.size = 0), .value = 1, .n_fds = 1),
		TABLE("gpa-wraps", "a region whose guest addresses wrap",
				REGION(.gpa = UINT64_MAX - 4095, .size = 8192), .value = 1,
				.n_fds = 1),
		TABLE("uva-wraps", "a region whose user addresses wrap",
				REGION(.uva = UINT64_MAX - 4095, .size = 8192), .value = 1,
				.n_fds = 1),
		TABLE("offset-wraps", "a region whose file offset wraps",
				REGION(.size = 4096, .mmap_offset = UINT64_MAX - 4096), .value = 1,
				.n_fds = 1),
		TABLE("size-share", "a region of 8 TiB: more addresses than a guest's share",
				REGION(.size = 8ULL << 40), .value = 1, .n_fds = 1),
		TABLE("size-huge", "a region of 2^63 bytes", REGION(.size = 1ULL << 63), .value = 1,
				.n_fds = 1),
		{"msg-table-unmappable", "a region of 2^47 bytes: cannot be mapped", run,
				&(const struct odd_message){.request = VU_SET_MEM_TABLE,
						.size = 40,
						.value = 1,
						.n_fds = 1,
						.region = {.size = 1ULL << 47},
						.must_refuse = true}},
		{"msg-table-eventfd", "a region in an eventfd", run,
				&(const struct odd_message){.request = VU_SET_MEM_TABLE,
						.size = 40,
						.value = 1,
						.n_fds = 1,
						.region = {.size = 4096},
						.fd_kind = ODD_EVENTFD,
						.must_refuse = true}},
		{"msg-table-pipe", "a region in a pipe", run,
				&(const struct odd_message){.request = VU_SET_MEM_TABLE,
						.size = 40,
						.value = 1,
						.n_fds = 1,
						.region = {.size = 4096},
						.fd_kind = ODD_PIPE,
						.must_refuse = true}},
		{"msg-table-read-only", "a region in a file that may only be read", run,
				&(const struct odd_message){.request = VU_SET_MEM_TABLE,
						.size = 40,
						.value = 1,
						.n_fds = 1,
						.region = {.size = 4096},
						.fd_kind = ODD_READ_ONLY,
						.must_refuse = true}},
		CASE("table-sealed-small", "a region in an empty file", .request = VU_SET_MEM_TABLE,
				.size = 40, .value = 1, .n_fds = 1,
				.region = REGION(.size = 1 << 20), .fd_kind = ODD_EMPTY),
		CASE("table-overlap", "two regions with the same guest addresses",
				.request = VU_SET_MEM_TABLE, .size = 72, .value = 2, .n_fds = 2,
				.region = REGION(.gpa = 0x100000, .size = 4096)),
		{.name = NULL},
};
