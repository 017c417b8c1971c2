/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rings that are set up wrong, or differently while they run. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "cases.h"
#include "raw.h"

#define HDR 12
#define LEN 200
#define MOVES 40

/* What is said about a running ring: the transmit ring, 1, or the receive ring, 0. */
struct set_up {
	void (*say)(struct party *p, unsigned ring);
	bool stops; /* the device must be stopped, for FAULT_RING_ADDRESS */
	unsigned ring;
};

static void
say_num(struct party *p, unsigned ring, uint32_t num)
{
	struct vu_msg msg = vu_msg_state(VU_SET_VRING_NUM, ring, num);

	/* It may be refused or not: the verdict depends on what the switch does afterwards. */
	vu_dev_request(&p->nic.dev, &msg);
}

static void
num_larger(struct party *p, unsigned ring)
{
	say_num(p, ring, 32768);
}

static void
num_zero(struct party *p, unsigned ring)
{
	say_num(p, ring, 0);
}

static void
num_odd(struct party *p, unsigned ring)
{
	say_num(p, ring, 100);
}

static void
num_65536(struct party *p, unsigned ring)
{
	say_num(p, ring, 65536);
}

static void
say_addresses(struct party *p, unsigned ring, int64_t desc, int64_t avail, int64_t used)
{
	struct vu_vring_addr keep = p->nic.dev.ring[ring].addr;
	struct vu_vring_addr *a = &p->nic.dev.ring[ring].addr;

	a->desc += (uint64_t)desc;
	a->avail += (uint64_t)avail;
	a->used += (uint64_t)used;
	vu_dev_set_vring_addr(&p->nic.dev, ring);
	*a = keep;
}

static void
desc_misaligned(struct party *p, unsigned ring)
{
	say_addresses(p, ring, 8, 0, 0);
}

static void
avail_misaligned(struct party *p, unsigned ring)
{
	say_addresses(p, ring, 0, 1, 0);
}

static void
used_misaligned(struct party *p, unsigned ring)
{
	say_addresses(p, ring, 0, 0, 2);
}

static void
desc_elsewhere(struct party *p, unsigned ring)
{
	say_addresses(p, ring, 1LL << 40, 0, 0);
}

static void
used_elsewhere(struct party *p, unsigned ring)
{
	say_addresses(p, ring, 0, 0, 1LL << 40);
}

static void
desc_null(struct party *p, unsigned ring)
{
	say_addresses(p, ring, -(int64_t)p->nic.dev.ring[ring].addr.desc, 0, 0);
}

/* The last descriptor is past the end of the region. */
static void
desc_across_end(struct party *p, unsigned ring)
{
	struct vu_region *r = &p->nic.dev.mem.region[1];
	uint64_t end = (uintptr_t)r->base + r->size;
	int64_t size = p->nic.dev.ring[ring].size * (int64_t)sizeof(struct vr_desc);

	say_addresses(p, ring, (int64_t)(end - p->nic.dev.ring[ring].addr.desc) - size + 16, 0, 0);
}

/* The used ring's event index, which follows its last entry, is past the end of the region. */
static void
used_across_end(struct party *p, unsigned ring)
{
	struct vu_region *r = &p->nic.dev.mem.region[1];
	uint64_t end = (uintptr_t)r->base + r->size;
	int64_t size = 4 + p->nic.dev.ring[ring].size * (int64_t)sizeof(struct vr_used_elem);

	say_addresses(p, ring, 0, 0, (int64_t)(end - p->nic.dev.ring[ring].addr.used) - size);
}

static void
run(struct hostile *h, const void *arg)
{
	const struct set_up *s = arg;
	struct party *bad, *peer, *next;

	if (!party_pair(h, &bad, &peer))
		return;
	h->drops_any = true;
	s->say(bad, s->ring);
	if (s->stops && !expect_stop(h, bad, FAULT_RING_ADDRESS))
		return;
	/* A message that was refused may have ended the connection: that is an answer too. */
	if (vu_dev_sync(&bad->nic.dev) == 0) {
		if (s->stops)
			raw_untouched(bad, peer);
		party_recovers(bad, peer);
	} else {
		party_close(bad);
		next = party_open(h, NULL);
		if (next != NULL)
			party_meet(next, peer);
		bad = next;
	}
	if (!s->stops && bad != NULL) {
		h->stops = stops_of(h, bad);
		EXPECT(h, h->stops <= 1, "%u lines that it was stopped", h->stops);
	}
}

/* The same ring in other places, by turns, under traffic: frames are taken from where it is. */
static void
run_moved(struct hostile *h, const void *arg)
{
	struct vr_ring ring[2], *tx;
	struct party *p, *peer;
	uint16_t index;
	struct buf f;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	f = raw_frame(p, peer->mac, LEN);
	tx = p->nic.tx;
	raw_desc(tx, 5, f.gpa, f.len, 0,
			0); /* before the rings are copied: the frame is taken from the original */
	ring[0] = *tx;
	if (f.at == NULL || vr_init(&ring[1], &p->nic.dev.mem, 0, tx->size, tx->features) < 0) {
		fail(h, "no memory for a second ring");
		return;
	}
	index = vr_base(tx);
	for (unsigned i = 1; i < MOVES && !h->failed; i++) {
		struct vr_ring *to = &ring[i & 1];

		vr_reset(to, index);
		tx->addr = to->addr;
		EXPECT(h, vu_dev_set_vring_addr(&p->nic.dev, 1) == 0, "the addresses were refused");
		raw_desc(to, 5, f.gpa, f.len, 0, 0);
		raw_post(to, (const uint16_t[]){5, 5}, 2);
		if (!raw_returned(p, to, 2, NULL) || !party_hears(peer, f.at + HDR, LEN) ||
				!party_hears(peer, f.at + HDR, LEN))
			break;
		index = vr_base(to);
	}
	party_hears_nothing(peer);
	vr_free(&ring[1]);
}

/* A base other than the ring's own position. */
static void
run_base(struct hostile *h, const void *arg)
{
	static const uint32_t bases[] = {1, 300, 32768, 65535, 0x12345678, UINT32_MAX};
	struct party *bad, *peer;

	(void)arg;
	if (!party_pair(h, &bad, &peer))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < 6 && !h->failed; i++) {
		MUST(h, vu_dev_stop(&bad->nic.dev, NULL) == 0, "stopping failed");
		MUST(h, party_set_base(bad, bases[i]), "the connection was closed");
		raw_desc(bad->nic.tx, 0, 0xdead0000000, 100, 0, 0);
		raw_post_one(bad->nic.tx, 0);
		party_recovers(bad, peer);
	}
	h->stops = stops_of(h, bad);
	EXPECT(h, h->stops <= 6, "%u lines that it was stopped", h->stops);
}

#define SAID(...) \
	&(const struct set_up) \
	{ \
		__VA_ARGS__ \
	}
#define CASE(name, says, fn, stopped, r) \
	{ \
		"ring-" name, says, run, SAID(.say = fn, .stops = stopped, .ring = r), 0 \
	}
/* cases_packed_ring.c has what differs with the areas of packed rings. */
#define SPLIT(name, says, fn, stopped, r) \
	{ \
		"ring-" name, says, run, SAID(.say = fn, .stops = stopped, .ring = r), IN(0) \
	}

const struct hcase cases_vring[] = {
		CASE("num-larger", "size made larger than its memory after the addresses: stopped",
				num_larger, true, 1),
		CASE("num-larger-rx", "the same with the receive ring: stopped", num_larger, true,
				0),
		CASE("num-zero", "size 0 while it runs: not used", num_zero, false, 1),
		SPLIT("num-odd", "size 100 while it runs: not used", num_odd, false, 1),
		CASE("num-65536", "size 65536 while it runs: not used", num_65536, false, 1),
		CASE("desc-misaligned", "descriptors at an odd address: stopped", desc_misaligned,
				true, 1),
		CASE("avail-misaligned", "available ring at an odd address: stopped",
				avail_misaligned, true, 1),
		CASE("used-misaligned", "used ring at an odd address: stopped", used_misaligned,
				true, 0),
		CASE("desc-elsewhere", "descriptors outside of memory: not used", desc_elsewhere,
				false, 1),
		CASE("used-elsewhere", "used ring outside of memory: not used", used_elsewhere,
				false, 0),
		CASE("desc-null", "descriptors at address 0: not used", desc_null, false, 1),
		CASE("desc-across-end", "descriptors across a region's end: not used",
				desc_across_end, false, 1),
		SPLIT("used-across-end",
				"used ring across a region's end by its event index: stopped",
				used_across_end, true, 1),
		{"ring-moved", "ring addresses changed under traffic: nothing lost", run_moved,
				NULL, 0},
		{"ring-base", "a base that is not where the ring is: harmless", run_base, NULL, 0},
		{.name = NULL},
};
