/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Queue pairs: messages about rings that are absent, half set up, or in use. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"
#include "pairs.h"
#include "raw.h"

#define LEN 200
#define FLOWS 64
#define A_ROUND 8

static void
run_queue_num(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	struct vu_msg msg;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	EXPECT(h, p->nic.dev.queue_num == PAIRS, "%ju pairs", (uintmax_t)p->nic.dev.queue_num);
	pairs_say(p, peer);
	/*
	 * With a payload, which it does not have, and with a request for an acknowledgement, which
	 * it does not need.
	 */
	for (unsigned i = 0; i < 100; i++) {
		msg = vu_msg_u64(VU_GET_QUEUE_NUM, i);
		msg.size = i % 2 != 0 ? 8 : 0;
		msg.flags |= i % 4 > 1 ? VU_NEED_REPLY : 0;
		MUST(h,
				vu_dev_query(&p->nic.dev, &msg) == 0 && msg.size == 8 &&
						msg.payload.u64 == PAIRS,
				"asked %u times: no right answer", i);
	}
	pairs_say(p, peer);
	/* With a file descriptor: the message is refused, and the file descriptor closed. */
	msg = vu_msg_new(VU_GET_QUEUE_NUM);
	msg.fd[0] = fd;
	msg.n_fds = 1;
	vu_send(p->nic.dev.sock, &msg);
	EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0, "a file descriptor was taken");
	party_close(p);
	close(fd);
}

/* Makes a message about a ring, of a kind given by number. */
#define KINDS 8

static struct vu_msg
about_ring(unsigned kind, uint32_t ring, int fd)
{
	static const uint32_t requests[KINDS] = {
			VU_SET_VRING_NUM,
			VU_SET_VRING_BASE,
			VU_GET_VRING_BASE,
			VU_SET_VRING_ENABLE,
			VU_SET_VRING_ADDR,
			VU_SET_VRING_KICK,
			VU_SET_VRING_CALL,
			VU_SET_VRING_ERR,
	};
	struct vu_msg msg = vu_msg_state(requests[kind], ring, kind == 0 ? 256 : 1);

	if (kind == 4)
		msg.size = sizeof(msg.payload.addr);
	if (kind >= 5) {
		msg.payload.u64 = ring;
		msg.fd[0] = fd;
		msg.n_fds = 1;
	}
	return msg;
}

/* One message of each kind about each ring that was never set up; the first pair goes on. */
static void
run_indices(struct hostile *h, const void *arg)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct party *p, *peer;
	struct vu_msg msg;

	(void)arg;
	if (!pairs_open(h, 1, &p, &peer))
		return;
	h->drops_any = true;
	for (uint32_t ring = 2; ring < RINGS && !h->failed; ring++)
		for (unsigned kind = 0; kind < KINDS && !h->failed; kind++) {
			msg = about_ring(kind, ring, fd);
			if (kind == 2)
				vu_dev_query(&p->nic.dev, &msg);
			else
				vu_dev_request(&p->nic.dev, &msg);
			MUST(h, vu_dev_sync(&p->nic.dev) == 0,
					"ring %u, message %u: the connection was closed", ring,
					msg.request);
			if (ring % 8 == 2 && !party_talk(p, peer, 1))
				fail(h, "ring %u, message %u: pair 0 stands still", ring,
						msg.request);
		}
	party_says(p, peer);
	party_says(peer, p);
	close(fd);
}

/* Messages about rings past the last one: each closes the connection, and nothing is left of it. */
static void
run_past(struct hostile *h, const void *arg)
{
	static const uint32_t rings[] = {32, 33, 63, 64, 127, 128, 254, 255};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct nic_opts opts = pairs_opts(2);
	struct party *p, *peer = party_open(h, NULL);
	struct vu_msg msg;

	(void)arg;
	if (peer == NULL)
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < 8 * KINDS && !h->failed; i++) {
		p = party_open(h, &opts);
		if (p == NULL)
			break;
		msg = about_ring(i % KINDS, rings[i / KINDS], fd);
		msg.flags |= VU_NEED_REPLY;
		vu_send(p->nic.dev.sock, &msg);
		EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0,
				"message %u of ring %u was taken", msg.request, rings[i / KINDS]);
		party_close(p);
	}
	close(fd);
	p = party_open(h, &opts);
	if (p != NULL && party_meet(p, peer))
		pairs_say(p, peer);
}

/* Rings that are enabled and were never set up: everything goes by the first pair. */
static void
run_enabled(struct hostile *h, const void *arg)
{
	struct party *p, *peer;

	(void)arg;
	if (!pairs_open(h, 1, &p, &peer) || !pairs_enable(p, 2, RINGS, true))
		return;
	if (!party_talk(p, peer, FLOWS))
		return;
}

/* Rings that are set up, with buffers in them, and never enabled: no buffer is used. */
static void
run_set_up(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	struct vu_dev *dev;
	struct buf b;

	(void)arg;
	if (!pairs_open(h, 1, &p, &peer))
		return;
	b = raw_frame(p, peer->mac, LEN);
	if (b.at == NULL)
		return;
	dev = &p->nic.dev;
	for (unsigned i = 2; i < RINGS; i++) {
		MUST(h, vr_init(&dev->ring[i], &dev->mem, i % 2, 256, dev->features) == 0,
				"no memory for ring %u", i);
		dev->n_rings++;
		raw_desc(&dev->ring[i], 0, b.gpa, b.len, i % 2 == 0 ? VR_DESC_WRITE : 0, 0);
		raw_post_one(&dev->ring[i], 0);
		MUST(h, vu_dev_setup_ring(dev, i) == 0, "ring %u was refused", i);
	}
	MUST(h, vu_dev_sync(dev) == 0, "the connection was closed");
	if (!party_talk(p, peer, FLOWS))
		return;
	for (unsigned i = 2; i < RINGS; i++)
		EXPECT(h, vr_used_pending(&dev->ring[i]) == 0, "ring %u was used", i);
	/* Now they are enabled: each frame arrives. */
	h->drops_any = true;
	if (!pairs_enable(p, 2, RINGS, true))
		return;
	for (unsigned i = 3; i < RINGS; i += 2)
		if (!raw_returned(p, &dev->ring[i], 1, NULL) ||
				!party_hears(peer, b.at + p->nic.hdr_len, LEN))
			return;
}

/* File descriptors for rings that are not there, again and again. */
static void
run_fds(struct hostile *h, const void *arg)
{
	struct party *p, *peer;

	(void)arg;
	if (!pairs_open(h, 1, &p, &peer))
		return;
	for (unsigned i = 0; i < 600 && !h->failed; i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		struct vu_msg msg = about_ring(5 + i % 3, 2 + i / 3 % (RINGS - 2), fd);

		EXPECT(h, vu_dev_request(&p->nic.dev, &msg) == 0, "message %u refused", i);
		close(fd);
		if (i % 50 == 0 && !party_talk(p, peer, 1))
			return;
	}
}

/* GET_VRING_BASE of some rings alone, while the others run; then they are set up again. */
static void
run_base(struct hostile *h, const void *arg)
{
	static const unsigned rings[] = {5, 31, 2, 30, 7, 1, 0};
	struct party *p, *peer;
	uint16_t base;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer) || !pairs_say(p, peer))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < 7 && !h->failed; i++) {
		struct vr_ring *vr = &p->nic.dev.ring[rings[i]];

		MUST(h, vu_dev_stop_ring(&p->nic.dev, rings[i], &base) == 0, "ring %u: no base",
				rings[i]);
		EXPECT(h, base == vr_base(vr), "ring %u: base %u, but %u are used", rings[i], base,
				vr_base(vr));
		if (rings[i] > 1 && !party_says(p, peer))
			return;
		MUST(h,
				vu_dev_start_ring(&p->nic.dev, rings[i]) == 0 &&
						vu_dev_sync(&p->nic.dev) == 0,
				"ring %u: no start", rings[i]);
		if (!pairs_say(p, peer))
			return;
	}
}

/* Reboots with queue pairs, without, and with them: rings that are not negotiated any more are left alone. */
static void
run_reboots(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	uint64_t features;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	features = p->nic.dev.features;
	for (unsigned i = 0; i < 6 && !h->failed; i++) {
		MUST(h,
				nic_reboot(&p->nic, i % 2 == 0 ? features & ~VU_F_MQ : features,
						&p->opts) == 0,
				"the reboot failed");
		if (!party_talk(p, peer, A_ROUND))
			return;
		if (i % 2 != 0 && !pairs_say(p, peer))
			return;
	}
}

/* The memory table is replaced, with all rings in it, under traffic on each. */
static void
run_table(struct hostile *h, const void *arg)
{
	struct party *p, *peer;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	for (unsigned i = 0; i < 6 && !h->failed; i++) {
		struct vu_mem *mem = &p->nic.dev.mem;

		if (mem->n == 2)
			MUST(h, vu_mem_add(mem, 0x80000000, 64 << 10, 0, false) >= 0, "no memory");
		else
			vu_mem_remove(mem, 2);
		MUST(h, vu_dev_set_mem(&p->nic.dev) == 0, "the table was refused");
		if (!pairs_say(p, peer))
			return;
	}
}

const struct hcase cases_pairs[] = {
		{"pairs-queue-num", "GET_QUEUE_NUM: 16, and all of them work", run_queue_num},
		{"pairs-indices", "messages about rings 2 to 31 that are not there: pair 0 goes on",
				run_indices},
		{"pairs-past", "messages about rings 32 to 255: closed", run_past},
		{"pairs-enabled", "rings enabled and never set up: pair 0 carries all",
				run_enabled},
		{"pairs-set-up", "rings set up and never enabled: not used; enabled: they are",
				run_set_up},
		{"pairs-fds", "600 eventfds for rings that are not there: none stays open",
				run_fds},
		{"pairs-base", "GET_VRING_BASE of single rings: right, and the others go on",
				run_base},
		{"pairs-reboots", "with queue pairs, without, with", run_reboots},
		{"pairs-table", "memory table replaced under traffic on 32 rings", run_table},
		{.name = NULL},
};
