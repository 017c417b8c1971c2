/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Queue pairs under traffic: rings that come and go, are never looked at, or break. See cases.h. */
#define _GNU_SOURCE
#include <string.h>

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

/*
 * Rings of other pairs are enabled and disabled as fast as messages go, while the first pair is in
 * use: all that it sends arrives, and all that is sent to the device is delivered or counted.
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

/*
 * The guest never looks at one receive ring: when it is full, its flows are dropped and counted; no
 * other flow is.
 */
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
	/* One ring of 16 has some of the 64 flows, but by far not all. */
	EXPECT(h, short_of > 0 && short_of < FLOWS / 4, "%u flows were held up", short_of);
	p->nic.n_pairs = PAIRS;
	count_flows(p, arrived);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		lost += rounds - arrived[flow];
	EXPECT(h, lost == t.dropped, "%u lost, %ju counted", lost, (uintmax_t)t.dropped);
	remark("%u of %u frames lost, of %u flows", lost, rounds * FLOWS, short_of);
	pairs_say(p, peer);
}

/* One ring among 32 breaks the rules: the device is stopped once, and works when it is set up again. */
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
		/* Some of so many flows go to that ring. */
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

/* The guest hangs up with frames under way on all rings. */
static void
run_deaths(struct hostile *h, const void *arg)
{
	struct nic_opts opts = pairs_opts(PAIRS);

	(void)arg;
	opts.dev.protocol &= ~VU_PROTOCOL_REPLY_ACK;
	opts.rx_bufs = opts.tx_bufs = 4;
	opts.dev.rx_size = opts.dev.tx_size = 64;
	opts.dev.mem.region_size = 1 << 20;
	party_deaths(h, &opts, DEATHS, PAIRS, LEN);
}

#define RING(n) \
	&(const unsigned) \
	{ \
		n \
	}

const struct hcase cases_pairs_traffic[] = {
		{"pairs-toggled",
				"rings enabled and disabled 1500 times under traffic: all accounted for",
				run_toggled},
		{"pairs-broken-tx", "ring 9 broken among 32: stopped, and works again", run_broken,
				RING(9), .modes = IN(0)},
		{"pairs-broken-rx", "ring 8 broken among 32: stopped, and works again", run_broken,
				RING(8), .modes = IN(0)},
		{"pairs-broken-first", "ring 1 broken among 32: stopped, and works again",
				run_broken, RING(1), .modes = IN(0)},
		{"pairs-dry", "one of 16 receive rings never looked at: its flows are lost, no others",
				run_dry},
		{"pairs-deaths", "hung up with frames on 32 rings, 150 times: nothing left behind",
				run_deaths, .modes = IN(ALL)},
		{.name = NULL},
};
