/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Queue pairs: rings that are absent, half there, broken, or come and go. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"
#include "pairs.h"
#include "raw.h"

#define LEN 200
#define TOGGLES 1500
#define DEATHS 150
#define FLOWS 64
#define A_ROUND 8
#define DRY_ROUNDS 600
#define FLOW_AT 35 /* the byte of a frame that tells its flow */

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
	/* With a payload that it has not, and with a wish that it does not need. */
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
	/* With a descriptor: refused, and that is closed. */
	msg = vu_msg_new(VU_GET_QUEUE_NUM);
	msg.fd[0] = fd;
	msg.n_fds = 1;
	vu_send(p->nic.dev.sock, &msg);
	EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0, "a descriptor was taken");
	party_close(p);
	close(fd);
}

/* A message about a ring; what kind, by number. */
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

/* Rings that were never set up are told of, one message each; the first pair goes on. */
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

/* Past those that there are: each ends the connection, and nothing is left of it. */
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

/* Enabled, with nothing behind them: everything goes by the first pair. */
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

/* Set up, with buffers in them, and never enabled: not one is used. */
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
	/* And now they are: each frame arrives. */
	h->drops_any = true;
	if (!pairs_enable(p, 2, RINGS, true))
		return;
	for (unsigned i = 3; i < RINGS; i += 2)
		if (!raw_returned(p, &dev->ring[i], 1, NULL) ||
				!party_hears(peer, b.at + p->nic.hdr_len, LEN))
			return;
}

/*
 * Rings of other pairs come and go as fast as messages can, while the first pair is in use: what
 * it sends arrives, all of it, and what is sent to the device is delivered or counted.
 */
static void
run_toggled(struct hostile *h, const void *arg)
{
	struct party *p, *peer, *other;
	uint64_t sent = 0, got = 0;
	uint8_t frame[FRAME_ROOM];
	struct totals t;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	other = party_open(h, NULL);
	if (other == NULL || !party_meet(other, peer) || !party_says(other, p))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < TOGGLES && !h->failed; i++) {
		unsigned ring = 2 + (i * 7) % (RINGS - 2);

		for (unsigned k = 0; k < 4; k++) {
			frame_make(frame, p->mac, other->mac, TYPE_CASE, ++h->seq, LEN);
			frame[13] ^= k; /* other types of frames */
			sent += nic_send(&other->nic, frame, LEN, NULL) == 0;
		}
		MUST(h, vu_dev_set_vring_enable(&p->nic.dev, ring, i / (RINGS - 2) % 2 != 0) == 0,
				"ring %u: refused", ring);
		if (i % 10 == 0 && !party_says(peer, other))
			return;
		frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
		MUST(h, nic_send(&p->nic, frame, LEN, NULL) == 0, "no frame sent");
		if (!party_hears(peer, frame, LEN))
			return;
		nic_reclaim(&other->nic);
		while (nic_recv(&p->nic, frame, sizeof(frame)) > 0)
			got++;
	}
	if (!pairs_enable(p, 2, RINGS, true) || party_drain(other) != 0) {
		fail(h, "frames did not come back");
		return;
	}
	while (nic_recv(&p->nic, frame, sizeof(frame)) > 0)
		got++;
	if (!EXPECT(h, subject_counters(&h->subject, other->device, &t), "no telemetry"))
		return;
	EXPECT(h, got + t.dropped == sent, "%ju sent, %ju arrived, %ju dropped", (uintmax_t)sent,
			(uintmax_t)got, (uintmax_t)t.dropped);
	remark("%ju of %ju frames arrived", (uintmax_t)got, (uintmax_t)sent);
	pairs_say(p, peer);
}

/* Sends a datagram of a flow, and waits until it is done with. */
static void
send_flow(struct hostile *h, struct party *from, const struct party *to, uint8_t flow)
{
	uint8_t frame[LEN];

	frame_make(frame, to->mac, from->mac, TYPE_CASE, ++h->seq, LEN);
	memcpy(frame + 12,
			(const uint8_t[]){8, 0, 0x45, 0, 0, LEN - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10,
					0, 0, 1, 10, 0, 0, 2, 4, flow, 5, 5},
			26);
	nic_send(&from->nic, frame, LEN, NULL);
	party_drain(from);
}

static void
count_flows(struct party *p, unsigned *arrived)
{
	uint8_t frame[FRAME_ROOM];

	while (nic_recv(&p->nic, frame, sizeof(frame)) > 0)
		arrived[frame[FLOW_AT] % FLOWS]++;
}

/* One receive ring is never looked at: its flows are lost when it is full, and counted; no other is. */
static void
run_dry(struct hostile *h, const void *arg)
{
	unsigned arrived[FLOWS] = {0}, short_of = 0, lost = 0, rounds = 0;
	struct party *p, *peer;
	struct totals t;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	h->drops_any = true;
	p->nic.n_pairs = PAIRS - 1;
	do {
		for (unsigned flow = 0; flow < FLOWS; flow++) {
			send_flow(h, peer, p, (uint8_t)flow);
			count_flows(p, arrived);
		}
		if (!EXPECT(h, subject_counters(&h->subject, peer->device, &t), "no telemetry"))
			return;
	} while (++rounds < DRY_ROUNDS && t.dropped < A_ROUND && !h->failed);
	EXPECT(h, t.dropped >= A_ROUND, "the ring was never full");
	for (unsigned flow = 0; flow < FLOWS; flow++)
		short_of += arrived[flow] < rounds;
	/* 1 in 16 rings has some of 64 flows, and by far not all. */
	EXPECT(h, short_of > 0 && short_of < FLOWS / 4, "%u flows were held up", short_of);
	p->nic.n_pairs = PAIRS;
	count_flows(p, arrived);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		lost += rounds - arrived[flow];
	EXPECT(h, lost == t.dropped, "%u lost, %ju counted", lost, (uintmax_t)t.dropped);
	remark("%u of %u frames lost, of %u flows", lost, rounds * FLOWS, short_of);
	pairs_say(p, peer);
}

/* One ring among 32 breaks the rules: the device is stopped, once, and served when set up anew. */
static void
run_broken(struct hostile *h, const void *arg)
{
	unsigned ring = *(const unsigned *)arg;
	uint8_t frame[LEN];
	struct party *p, *peer;
	struct vr_ring *vr;

	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	h->drops_any = true;
	vr = &p->nic.dev.ring[ring];
	vr_raw_avail_idx(vr, (uint16_t)(vr->published + vr->size + 1));
	if (ring % 2 == 0) {
		/* Of so many flows some go there. */
		for (unsigned i = 0; i < FLOWS; i++)
			send_flow(h, peer, p, (uint8_t)i);
	}
	if (!expect_stop(h, p, FAULT_AVAIL_OVERRUN))
		return;
	frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
	p->nic.tx_pair = ring == 1 ? 1 : 0;
	nic_send(&p->nic, frame, LEN, NULL);
	party_drain(peer);
	party_hears_nothing(peer);
	if (!party_restart(p))
		return;
	pairs_say(p, peer);
}

/* Descriptors for rings that are not there, again and again. */
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

/* With queue pairs, without, with: rings that are not negotiated any more are left alone. */
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

/* Hung up with frames under way on all rings. */
static void
run_deaths(struct hostile *h, const void *arg)
{
	struct nic_opts opts = pairs_opts(PAIRS);
	struct party *p, *peer = party_open(h, NULL);
	uint8_t frame[FRAME_ROOM];

	(void)arg;
	opts.dev.protocol &= ~VU_PROTOCOL_REPLY_ACK;
	opts.rx_bufs = opts.tx_bufs = 4;
	opts.dev.rx_size = opts.dev.tx_size = 64;
	opts.dev.mem.region_size = 1 << 20;
	if (peer == NULL)
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < DEATHS && !h->failed; i++) {
		p = party_open(h, &opts);
		if (p == NULL)
			return;
		for (unsigned k = 0; k < PAIRS; k++) {
			p->nic.tx_pair = k;
			frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
			nic_queue(&p->nic, NULL, frame, LEN, NULL);
			frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++h->seq, LEN);
			nic_queue(&peer->nic, NULL, frame, LEN, NULL);
		}
		nic_flush(&peer->nic);
		nic_flush(&p->nic);
		party_close(p);
		while (nic_recv(&peer->nic, frame, sizeof(frame)) > 0)
			continue;
		nic_reclaim(&peer->nic);
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

#define RING(n) \
	&(const unsigned) \
	{ \
		n \
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
		{"pairs-toggled",
				"rings enabled and disabled 1500 times under traffic: all accounted for",
				run_toggled},
		{"pairs-broken-tx", "ring 9 broken among 32: stopped, and works anew", run_broken,
				RING(9), .modes = IN(0)},
		{"pairs-broken-rx", "ring 8 broken among 32: stopped, and works anew", run_broken,
				RING(8), .modes = IN(0)},
		{"pairs-broken-first", "ring 1 broken among 32: stopped, and works anew",
				run_broken, RING(1), .modes = IN(0)},
		{"pairs-dry", "one of 16 receive rings never looked at: its flows are lost, no others",
				run_dry},
		{"pairs-fds", "600 event descriptors for rings that are not there: none stays open",
				run_fds},
		{"pairs-base", "GET_VRING_BASE of single rings: right, and the others go on",
				run_base},
		{"pairs-reboots", "with queue pairs, without, with", run_reboots},
		{"pairs-deaths", "hung up with frames on 32 rings, 150 times: nothing left behind",
				run_deaths, .modes = IN(ALL)},
		{"pairs-table", "memory table replaced under traffic on 32 rings", run_table},
		{.name = NULL},
};
