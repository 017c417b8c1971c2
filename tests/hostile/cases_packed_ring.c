/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Packed rings as a whole: their sizes, positions, wraps and event areas, and what was negotiated. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define WRAPS 50 /* of the ring that a driver is ahead of itself */

/* Rings of any size, powers of two or not; chains wrap around their ends. */
static void
run_sizes(struct hostile *h, const void *arg)
{
	static const uint16_t sizes[] = {1, 2, 3, 5, 100, 257, 32767, 32768};
	struct nic_opts opts = party_opts();
	struct nic_layout how = {0};
	struct party *p, *peer = party_open(h, NULL);
	uint8_t frame[LEN];
	int err;

	(void)arg;
	opts.dev.mem.region_size = 2 << 20;
	if (peer == NULL)
		return;
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]) && !h->failed; s++) {
		opts.dev.rx_size = opts.dev.tx_size = sizes[s];
		p = party_open(h, &opts);
		if (p == NULL || !party_meet(p, peer))
			return;
		for (unsigned i = 0; i < 3U * (sizes[s] < 300 ? sizes[s] : 5) + 9; i++) {
			how.descs = 1 + i % (sizes[s] > 4 ? 4 : sizes[s] > 1 ? sizes[s] - 1U : 1);
			frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
			err = nic_send(&p->nic, frame, LEN, sizes[s] > 1 ? &how : NULL);
			if (!EXPECT(h, err == 0, "size %u: not sent: %d", sizes[s], err) ||
					!party_hears(peer, frame, LEN) || party_drain(p) != 0 ||
					!party_says(peer, p))
				break;
		}
		party_close(p);
	}
}

/* Positions past the ring, and positions or wraps other than the ring's own. */
static void
run_base(struct hostile *h, const void *arg)
{
	static const uint32_t bases[] = {
			0,
			1,
			0x8001,
			255,
			256,
			257,
			0x8100,
			0x7fff,
			0xffff,
			0x80008000,
			0x80018000,
			0x7fff8000,
			UINT32_MAX,
	};
	unsigned n = sizeof(bases) / sizeof(bases[0]);
	struct party *bad, *peer;

	(void)arg;
	if (!party_pair(h, &bad, &peer))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < n && !h->failed; i++) {
		MUST(h, vu_dev_stop(&bad->nic.dev, NULL) == 0, "stopping failed");
		MUST(h, party_set_base(bad, bases[i]), "the connection was closed");
		party_recovers(bad, peer);
		while (nic_recv(&peer->nic, (uint8_t[FRAME_ROOM]){0}, FRAME_ROOM) > 0)
			continue; /* frames that the ring held, which look available */
	}
	h->stops = stops_of(h, bad);
	EXPECT(h, h->stops >= 5 && h->stops <= n, "%u lines that it was stopped", h->stops);
}

/*
 * Descriptors that were not given back are made available again: they get the flags of the next
 * wraps, one after another, while the receiver takes nothing.
 */
static void
run_wraps_ahead(struct hostile *h, const void *arg)
{
	uint64_t features = *(const uint64_t *)arg;
	struct nic_opts opts = party_opts();
	struct party *bad, *peer, *other;
	struct vr_place at;
	struct buf f;

	opts.dev.features |= features;
	bad = party_open(h, &opts);
	peer = bad != NULL ? party_open(h, NULL) : NULL;
	other = peer != NULL && party_meet(bad, peer) ? party_open(h, NULL) : NULL;
	if (other == NULL || !party_meet(other, bad) || !raw_receive_begin(peer, other))
		return;
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL)
		return;
	h->drops_any = true;
	at = bad->nic.tx->fill_at;
	for (unsigned i = 0; i < WRAPS * bad->nic.tx->size; i++) {
		raw_packed(bad->nic.tx, at, f.gpa, f.len, (uint16_t)i, 0);
		at = vr_packed_after(at, bad->nic.tx->size, 1);
	}
	party_says(other, bad);
	h->stops = stops_of(h, bad);
	EXPECT(h, h->stops <= 1, "%u lines that it was stopped", h->stops);
	/* Its rings are set up again; those of the receiver too, whose buffers were used up. */
	if (!party_restart(peer) || !party_restart(bad))
		return;
	while (nic_recv(&peer->nic, (uint8_t[FRAME_ROOM]){0}, FRAME_ROOM) > 0)
		continue;
	party_says(bad, peer);
	party_says(peer, bad);
	h->stops = stops_of(h, bad);
}

/* Event areas that hold nonsense: the guest gets too many signals, or too few, and harms nobody else. */
static void
run_events(struct hostile *h, const void *arg)
{
	static const struct vr_event events[] = {
			{0xffff, VR_EVENT_DESC},
			{0, VR_EVENT_DESC},
			{0x7fff, 3},
			{0, 0xffff},
			{300, VR_EVENT_DESC},
			{0x8000, VR_EVENT_DISABLE},
	};
	struct nic_opts opts = party_opts();
	struct party *p, *peer;

	(void)arg;
	opts.dev.features |= VU_F_EVENT_IDX;
	p = party_open(h, &opts);
	peer = p != NULL ? party_open(h, NULL) : NULL;
	if (peer == NULL || !party_meet(p, peer))
		return;
	for (unsigned i = 0; i < 600 && !h->failed; i++) {
		*p->nic.rx->driver_event = *p->nic.tx->driver_event = events[i % 6];
		/* The switch's own area, which is not the driver's to write. */
		*p->nic.tx->device_event = events[i / 6 % 6];
		if (!party_talk(p, peer, 1))
			return;
	}
}

/* One connection, with split and packed rings by turns, in order and not, under traffic. */
static void
run_formats(struct hostile *h, const void *arg)
{
	static const uint64_t features[] = {
			0,
			VU_F_RING_PACKED,
			VU_F_IN_ORDER,
			VU_F_RING_PACKED | VU_F_IN_ORDER,
			VU_F_RING_PACKED | VU_F_EVENT_IDX,
			VU_F_EVENT_IDX,
			VU_F_RING_PACKED | VU_F_INDIRECT_DESC | VU_F_IN_ORDER,
	};
	struct party *p, *peer;
	uint8_t frame[LEN];

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	h->drops_any = true; /* frames that were under way at a reboot */
	for (unsigned i = 0; i < 30 && !h->failed; i++) {
		uint64_t want = features[i % 7] | VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES |
				(h->features & ~VU_F_RING_PACKED);

		for (unsigned k = 0; k < 4; k++) {
			frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++h->seq, LEN);
			nic_send(&peer->nic, frame, LEN, NULL);
		}
		MUST(h, nic_reboot(&p->nic, want, &p->opts) == 0, "the reboot failed");
		EXPECT(h, p->nic.dev.features == want, "features %jx instead of %jx",
				(uintmax_t)p->nic.dev.features, (uintmax_t)want);
		if (party_drain(peer) != 0)
			fail(h, "the peer's buffers did not come back");
		while (nic_recv(&p->nic, (uint8_t[FRAME_ROOM]){0}, FRAME_ROOM) > 0)
			continue; /* frames that were under way, if any */
		if (!party_talk(p, peer, 20))
			return;
	}
}

/* IN_ORDER is negotiated, and descriptors or buffer ids come in any order. */
static void
run_disorder(struct hostile *h, const void *arg)
{
	static const uint16_t heads[] = {7, 3, 200, 0, 3, 7, 7, 100};
	struct nic_opts opts = party_opts();
	struct party *p, *peer;
	struct buf f;

	opts.dev.features |= VU_F_IN_ORDER;
	(void)arg;
	p = party_open(h, &opts);
	peer = p != NULL ? party_open(h, NULL) : NULL;
	if (peer == NULL || !party_meet(p, peer))
		return;
	f = raw_frame(p, peer->mac, LEN);
	if (f.at == NULL)
		return;
	for (unsigned i = 0; i < 8; i++)
		raw_desc(p->nic.tx, heads[i], f.gpa, f.len, 0, 0);
	for (unsigned i = 0; i < 100 && !h->failed; i++) {
		raw_post(p->nic.tx, heads, 8);
		if (!raw_returned(p, p->nic.tx, 8, NULL))
			return;
		for (unsigned k = 0; k < 8; k++)
			if (!party_hears(peer, f.at + HDR, LEN))
				return;
	}
}

/* An event area of four bytes that begins two bytes before the end of memory. */
static void
run_event_across_end(struct hostile *h, const void *arg)
{
	bool device = *(const bool *)arg;
	struct party *bad, *peer;
	struct vu_region *r;
	uint64_t *area, keep;

	if (!party_pair(h, &bad, &peer))
		return;
	h->drops_any = true;
	r = &bad->nic.dev.mem.region[1];
	area = device ? &bad->nic.tx->addr.used : &bad->nic.tx->addr.avail;
	keep = *area;
	*area = (uintptr_t)r->base + r->size - 2;
	vu_dev_set_vring_addr(&bad->nic.dev, 1);
	*area = keep;
	MUST(h, vu_dev_sync(&bad->nic.dev) == 0, "the connection was closed");
	/* librte_vhost itself refuses the driver's area, and the ring is then not used at all. */
	if (device) {
		expect_stop(h, bad, FAULT_RING_ADDRESS);
		raw_untouched(bad, peer);
	} else {
		raw_post_one(bad->nic.tx, 100);
		party_says(peer, bad);
		EXPECT(h, vr_used_pending(bad->nic.tx) == 0, "the ring was used");
	}
	party_recovers(bad, peer);
}

#define FEATURES(f) \
	&(const uint64_t) \
	{ \
		f \
	}

const struct hcase cases_packed_ring[] = {
		{"packed-sizes", "rings of 1 to 32768, no powers of two: all arrive", run_sizes},
		{"packed-base", "positions past the ring, wrong wraps: stopped, or harmless",
				run_base},
		{"packed-wraps-ahead",
				"all made available 50 times over, never taken back: bounded",
				run_wraps_ahead, FEATURES(0)},
		{"packed-wraps-in-order", "the same in order", run_wraps_ahead,
				FEATURES(VU_F_IN_ORDER)},
		{"packed-events", "nonsense in the event areas: all arrive", run_events},
		{"packed-formats", "split and packed by turns on one connection: all arrive",
				run_formats},
		{"packed-disorder", "in order agreed on, ids in disorder: arrive, come back",
				run_disorder},
		{"packed-driver-area",
				"driver's event area across the end of memory: ring not used",
				run_event_across_end, &(const bool){false}},
		{"packed-device-area", "device's event area across the end of memory: stopped",
				run_event_across_end, &(const bool){true}},
		{.name = NULL},
};
