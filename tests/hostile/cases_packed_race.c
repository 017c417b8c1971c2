/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Packed rings that change while the switch reads them. See cases.h.
 *
 * A second thread overwrites one field of descriptors, all around the ring, as fast as it can,
 * while good frames are posted there. The device may be stopped, or lose its place in the ring;
 * then it is set up again, and must go on. Sanitizers and neighbours watch, and what arrives is
 * checked.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "cases.h"
#include "odd_messages.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define RACE_MS 500
#define HUNGRY_MS 20000 /* at most so long if no frame has got through yet, as on a busy machine */
#define STUCK_MS 20     /* if nothing comes back for so long, the device has lost its place */
#define A_ROUND 16

struct race {
	void (*flip)(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa);
	bool receive;
	uint16_t size; /* entries of its rings; 0: as many as any guest's */
};

struct race_state {
	const struct race *race;
	struct party *bad, *peer;
	struct vr_ring *vr;
	uint64_t gpa;
	bool stop;
	uint64_t arrived;
};

static void *
racer(void *arg)
{
	struct race_state *r = arg;
	uint64_t state = 1;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint64_t random = odd_number(&state) >> 8;

		r->race->flip(r->vr, (uint16_t)(random % r->vr->size), random >> 16, r->gpa);
	}
	return NULL;
}

static void
flip_length(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	static const uint32_t lens[] = {HDR + LEN, HDR + LEN, UINT32_MAX, 13, 2000, 0, HDR + LEN};

	(void)gpa;
	__atomic_store_n(&vr->packed[at].len, lens[random % 7], __ATOMIC_RELAXED);
}

static void
flip_address(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	const uint64_t addr[] = {gpa, gpa, 0xdead00000000, UINT64_MAX - 20};
	volatile uint32_t *half = (volatile uint32_t *)&vr->packed[at].addr;

	/* Written in two halves: the switch may see one of each. */
	half[random & 1] = (uint32_t)(addr[random / 2 % 4] >> (random & 1) * 32);
}

static void
flip_id(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	(void)gpa;
	__atomic_store_n(&vr->packed[at].id, (uint16_t)random, __ATOMIC_RELAXED);
}

/* All flags except AVAIL and USED. */
static void
flip_kind(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	static const uint16_t kinds[] = {
			0,
			0,
			VR_DESC_NEXT,
			VR_DESC_WRITE,
			VR_DESC_INDIRECT,
			VR_DESC_INDIRECT | VR_DESC_NEXT,
			0,
	};
	uint16_t owner = vr->packed[at].flags & (VR_DESC_AVAIL | VR_DESC_USED);

	(void)gpa;
	vr_raw_packed_flags(vr, at, owner | kinds[random % 7]);
}

/* AVAIL and USED: descriptors become available and unavailable. */
static void
flip_owner(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	(void)gpa;
	vr_raw_packed_flags(vr, at, vr_packed_owner(random & 1, random & 2));
}

static void
flip_all(struct vr_ring *vr, uint16_t at, uint64_t random, uint64_t gpa)
{
	void (*const flips[])(struct vr_ring *, uint16_t, uint64_t, uint64_t) = {
			flip_length,
			flip_address,
			flip_id,
			flip_kind,
			flip_owner,
	};

	flips[random % 5](vr, at, random / 5, gpa);
}

static void
look(struct race_state *r)
{
	struct party *p = r->peer;
	uint8_t frame[FRAME_ROOM];
	int n;

	while ((n = nic_recv(&p->nic, frame, sizeof(frame))) > 0) {
		r->arrived += !r->race->receive;
		EXPECT(p->h, n >= FRAME_HEADER && memcmp(frame, p->mac, 6) == 0,
				"a frame of %d bytes for ..:%02x arrived at ..:%02x", n, frame[5],
				p->mac[5]);
		EXPECT(p->h, p->nic.rx_hdr.flags == 0 && p->nic.rx_hdr.gso_type == 0,
				"a header with flags %u, gso_type %u arrived", p->nic.rx_hdr.flags,
				p->nic.rx_hdr.gso_type);
	}
	EXPECT(p->h, n == 0, "a receive ring is broken: %s", strerror(-n));
}

static bool
goes_on(const struct race_state *r, int64_t begin)
{
	return vu_now_ms() - begin < (r->arrived > 0 ? RACE_MS : HUNGRY_MS);
}

static bool
is_back(const struct vr_ring *vr, struct vr_place at)
{
	return vr_packed_is_used(
			__atomic_load_n(&vr->packed[at.at].flags, __ATOMIC_ACQUIRE), at.wrap);
}

/* Frames for the receive ring, which the second thread changes. */
static void
feed(struct race_state *r)
{
	uint8_t frame[LEN];

	for (unsigned i = 0; i < A_ROUND; i++) {
		frame_make(frame, r->bad->mac, r->peer->mac, TYPE_CASE, i, LEN);
		nic_queue(&r->peer->nic, NULL, frame, LEN, NULL);
	}
	nic_flush(&r->peer->nic);
}

/* Opens the two guests, which have met. */
static bool
open_guests(struct hostile *h, struct race_state *r)
{
	struct nic_opts opts = party_opts();

	if (r->race->size != 0)
		opts.dev.rx_size = opts.dev.tx_size = r->race->size;
	r->bad = party_open(h, &opts);
	r->peer = r->bad != NULL ? party_open(h, NULL) : NULL;
	return r->peer != NULL && party_meet(r->bad, r->peer);
}

/* Posts frames until the last one of a round does not come back at its place. */
static void
post_until(struct race_state *r, int64_t begin)
{
	struct vr_place last = r->vr->fill_at;
	int64_t since;

	do {
		for (uint16_t i = 0; i < A_ROUND && i < r->vr->size; i++) {
			last = r->vr->fill_at;
			raw_desc(r->vr, i, r->gpa, HDR + LEN, r->race->receive ? VR_DESC_WRITE : 0,
					0);
			raw_post_one(r->vr, i);
		}
		if (r->race->receive)
			feed(r);
		since = vu_now_ms();
		while (!is_back(r->vr, last) && vu_now_ms() - since < STUCK_MS)
			look(r);
		r->arrived += r->race->receive && is_back(r->vr, last);
	} while (is_back(r->vr, last) && goes_on(r, begin) && !r->bad->h->failed);
	look(r);
}

static void
run(struct hostile *h, const void *arg)
{
	struct race_state r = {.race = arg};
	int64_t begin = vu_now_ms();
	struct buf f, to;
	unsigned lives = 0;
	pthread_t thread;

	h->drops_any = true;
	if (!open_guests(h, &r))
		return;
	do {
		f = raw_frame(r.bad, r.peer->mac, LEN);
		to = raw_buf(r.bad, 0, BUF_ROOM);
		if (f.at == NULL || to.at == NULL ||
				(r.race->receive && !raw_receive_begin(r.bad, r.peer)))
			return;
		r.gpa = r.race->receive ? to.gpa : f.gpa;
		r.vr = r.race->receive ? r.bad->nic.rx : r.bad->nic.tx;
		r.stop = false;
		MUST(h, pthread_create(&thread, NULL, racer, &r) == 0, "no thread");
		post_until(&r, begin);
		__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		lives++;
		if (!party_restart(r.bad))
			return;
		look(&r);
	} while (goes_on(&r, begin) && !h->failed);
	party_recovers(r.bad, r.peer);
	h->stops = stops_of(h, r.bad);
	EXPECT(h, h->stops <= lives, "%u lines that it was stopped, in %u lives", h->stops, lives);
	EXPECT(h, r.arrived > 0, "not one frame arrived");
	remark("%ju frames arrived, %u lives, stopped %u times", (uintmax_t)r.arrived, lives,
			h->stops);
}

#define CASE(name, says, ...) \
	{ \
		"packed-race-" name, says, run, &(const struct race){__VA_ARGS__}, IN(PACKED) \
	}

const struct hcase cases_packed_race[] = {
		CASE("length", "lengths change while they are read", .flip = flip_length),
		CASE("address", "addresses change while they are read", .flip = flip_address),
		CASE("id", "ids change while they are read", .flip = flip_id),
		CASE("kind", "flags change while they are read", .flip = flip_kind),
		CASE("owner", "descriptors change hands, of any wrap", .flip = flip_owner),
		CASE("all", "all of a descriptor changes while it is read", .flip = flip_all),
		{"packed-race-receive", "all of a receive descriptor changes while it is read", run,
				&(const struct race){.flip = flip_all, .receive = true}},
		/* The switch may come around such a ring within one burst. */
		CASE("owner-1", "the only descriptor of a ring changes hands", .flip = flip_owner,
				.size = 1),
		CASE("owner-3", "all three descriptors of a ring change hands", .flip = flip_owner,
				.size = 3),
		CASE("receive-2", "both descriptors of a receive ring change in any way",
				.flip = flip_all, .receive = true, .size = 2),
		{.name = NULL},
};
