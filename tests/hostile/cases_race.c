/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Memory that changes while the switch reads it. See cases.h.
 *
 * A second thread writes one value after another into a descriptor, a table or a frame, as fast as
 * it can, while the same buffer is posted again and again. The switch may deliver, drop, or stop
 * the device (which is then set up again, and must go on). It must not mix what it checked with
 * what it reads later. The sanitizers watch, and what arrives is checked.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define ENTRY ((uint32_t)sizeof(struct vr_desc))
#define RACE_MS 700     /* some 100,000 frames */
#define HUNGRY_MS 20000 /* at most so long if no frame has got through yet, as on a busy machine */
#define STUCK_MS 100    /* if nothing comes back for so long, the device was stopped */
#define A_ROUND 16      /* buffers under way at a time */

struct race_state;

struct race {
	bool (*lay)(struct race_state *r);
	void (*flip)(struct race_state *r, unsigned turn);
	bool receive; /* the buffer that changes is one to receive into */
	bool index;   /* the available index itself changes: any number comes back */
};

struct race_state {
	const struct race *race;
	struct party *bad, *peer, *other;
	struct buf f, table;
	volatile struct vr_desc *desc; /* what the second thread changes */
	bool stop;
	uint64_t arrived;
};

static void *
racer(void *arg)
{
	struct race_state *r = arg;

	for (unsigned turn = 0; !__atomic_load_n(&r->stop, __ATOMIC_RELAXED); turn++)
		r->race->flip(r, turn);
	return NULL;
}

/* What arrived must agree with what the switch decided. */
static void
look(struct race_state *r, struct party *p)
{
	uint8_t frame[FRAME_ROOM];
	struct hostile *h = p->h;
	int n;

	while ((n = nic_recv(&p->nic, frame, sizeof(frame))) > 0) {
		if (r->race->receive)
			continue;
		r->arrived++;
		EXPECT(h, n >= FRAME_HEADER, "a frame of %d bytes arrived", n);
		EXPECT(h, memcmp(frame, p->mac, 6) == 0, "a frame for ..:%02x arrived at ..:%02x",
				frame[5], p->mac[5]);
		EXPECT(h, (frame[6] & 1) == 0, "a frame with a group source arrived");
		EXPECT(h, p->nic.rx_hdr.flags == 0 && p->nic.rx_hdr.gso_type == 0,
				"a header with flags %u, gso_type %u arrived", p->nic.rx_hdr.flags,
				p->nic.rx_hdr.gso_type);
	}
	EXPECT(h, n == 0, "a receive ring is broken: %s", strerror(-n));
}

static bool
goes_on(const struct race_state *r, int64_t begin)
{
	int64_t limit = r->arrived > 0 ? RACE_MS : HUNGRY_MS;

	return vu_now_ms() - begin < limit;
}

/* Posts again and again. Returns false once nothing comes back any more. */
static bool
post_until(struct race_state *r, int64_t begin)
{
	struct vr_ring *vr = r->race->receive ? r->bad->nic.rx : r->bad->nic.tx;
	uint16_t heads[A_ROUND] = {0};
	uint8_t frame[LEN];
	int64_t since;

	while (goes_on(r, begin) && !r->bad->h->failed) {
		vr->used_idx = vr_raw_used_idx(vr);
		raw_post(vr, heads, A_ROUND);
		for (unsigned i = 0; r->race->receive && i < A_ROUND; i++) {
			frame_make(frame, r->bad->mac, r->peer->mac, TYPE_CASE, i, LEN);
			nic_queue(&r->peer->nic, NULL, frame, LEN, NULL);
		}
		nic_flush(&r->peer->nic);
		since = vu_now_ms();
		while (vr_used_pending(vr) < A_ROUND && vu_now_ms() - since < STUCK_MS) {
			look(r, r->peer);
			look(r, r->other);
		}
		if (r->race->receive)
			r->arrived += vr_used_pending(vr);
		if (vr_used_pending(vr) < A_ROUND)
			return false;
		EXPECT(r->bad->h, r->race->index || vr_used_pending(vr) == A_ROUND,
				"%u buffers came back, but %u were posted", vr_used_pending(vr),
				A_ROUND);
	}
	return true;
}

static void
run(struct hostile *h, const void *arg)
{
	struct race_state r = {.race = arg};
	int64_t begin = vu_now_ms();
	unsigned restarts = 0;
	pthread_t thread;

	h->drops_any = true;
	/* The addresses of these guests must differ in the last byte alone: it is flipped in one write. */
	if ((uint8_t)h->macs > UINT8_MAX - 3)
		h->macs |= UINT8_MAX;
	if (!party_pair(h, &r.bad, &r.peer))
		return;
	r.other = party_open(h, NULL);
	if (r.other == NULL || !party_meet(r.other, r.bad))
		return;
	MUST(h, memcmp(r.peer->mac, r.other->mac, 5) == 0, "unfit addresses");
	while (!h->failed && goes_on(&r, begin)) {
		if (r.race->receive && !raw_receive_begin(r.bad, r.peer))
			break;
		r.f = raw_frame(r.bad, r.peer->mac, LEN);
		r.table = raw_buf(r.bad, 0, 64 * ENTRY);
		if (r.f.at == NULL || r.table.at == NULL || !r.race->lay(&r))
			break;
		r.stop = false;
		MUST(h, pthread_create(&thread, NULL, racer, &r) == 0, "no thread");
		post_until(&r, begin);
		__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		restarts++;
		if (!party_restart(r.bad))
			break;
	}
	look(&r, r.peer);
	look(&r, r.other);
	party_recovers(r.bad, r.peer);
	h->stops = stops_of(h, r.bad);
	EXPECT(h, h->stops <= restarts, "%u lines that it was stopped, in %u lives", h->stops,
			restarts);
	EXPECT(h, r.arrived > 0, "not one frame arrived");
	remark("%ju frames arrived, stopped %u times", (uintmax_t)r.arrived, h->stops);
}

static bool
lay_chain(struct race_state *r)
{
	struct vr_seg seg[2] = {{r->f.gpa, HDR}, {r->f.gpa + HDR, LEN}};

	raw_chain(r->bad->nic.tx, 0, seg, 2, 0);
	r->desc = &r->bad->nic.tx->desc[1];
	return true;
}

static void
flip_length(struct race_state *r, unsigned turn)
{
	static const uint32_t lens[] = {LEN, 1, UINT32_MAX, LEN, 13, 2000, 0};

	r->desc->len = lens[turn % 7];
}

static void
flip_address(struct race_state *r, unsigned turn)
{
	/* Written in two halves: the switch may see one of each. */
	volatile uint32_t *half = (volatile uint32_t *)&r->desc->addr;
	const uint64_t addr[] = {r->f.gpa + HDR, 0xdead00000000, UINT64_MAX - 20, r->f.gpa + HDR};

	half[turn & 1] = (uint32_t)(addr[turn / 2 % 4] >> (turn & 1) * 32);
}

static void
flip_flags(struct race_state *r, unsigned turn)
{
	static const uint16_t flags[] = {0, VR_DESC_NEXT, 0, VR_DESC_WRITE, 0};
	static const uint16_t nexts[] = {1, 0, 300, 2};

	r->desc->next = nexts[turn % 4];
	r->desc->flags = flags[turn % 5];
}

static bool
lay_table(struct race_state *r)
{
	struct vr_desc *d = (struct vr_desc *)(void *)r->table.at;
	struct vr_ring *tx = r->bad->nic.tx;

	d[0] = (struct vr_desc){r->f.gpa, HDR, VR_DESC_NEXT, 1};
	d[1] = (struct vr_desc){r->f.gpa + HDR, LEN, 0, 0};
	raw_desc(tx, 0, r->table.gpa, 2 * ENTRY, VR_DESC_INDIRECT, 0);
	r->desc = &tx->desc[0];
	return true;
}

static void
flip_table_length(struct race_state *r, unsigned turn)
{
	static const uint32_t lens[] = {2 * ENTRY, 64 * ENTRY, 2 * ENTRY, 1000 * ENTRY};

	/* Mostly lengths that pass, as many frames must get through; now and then others. */
	r->desc->len = turn % 4096 == 0 ? UINT32_MAX : lens[turn % 4];
}

static void
flip_table_entries(struct race_state *r, unsigned turn)
{
	volatile struct vr_desc *d = (volatile struct vr_desc *)(void *)r->table.at;

	d[0].next = turn % 2048 == 0 ? UINT16_MAX : (uint16_t)(1 + turn % 2);
	d[1].len = turn % 2 == 0 ? LEN : UINT32_MAX;
}

static bool
lay_plain(struct race_state *r)
{
	raw_desc(r->bad->nic.tx, 0, r->f.gpa, r->f.len, 0, 0);
	return true;
}

static void
flip_destination(struct race_state *r, unsigned turn)
{
	volatile uint8_t *frame = r->f.at + HDR;

	frame[5] = (turn & 1 ? r->peer : r->other)->mac[5];
}

static void
flip_source(struct race_state *r, unsigned turn)
{
	volatile uint8_t *frame = r->f.at + HDR;

	frame[6] = turn % 4 != 0 ? 0x02 : 0x03;
}

static void
flip_header(struct race_state *r, unsigned turn)
{
	volatile uint8_t *header = r->f.at;

	header[0] = turn % 8 == 1 ? VR_HDR_NEEDS_CSUM : 0;
	header[1] = turn % 8 == 3 ? VR_HDR_GSO_TCPV4 : 0;
}

static void
flip_index(struct race_state *r, unsigned turn)
{
	struct vr_ring *tx = r->bad->nic.tx;
	uint16_t now = __atomic_load_n(&tx->published, __ATOMIC_RELAXED);

	/* All heads of the ring are 0: a good frame, wherever it is looked for. */
	__atomic_store_n(&tx->avail->idx, turn % 1000 == 0 ? (uint16_t)(now + 9999) : now,
			__ATOMIC_RELAXED);
}

static bool
lay_receive(struct race_state *r)
{
	struct buf to = raw_buf(r->bad, 0, BUF_ROOM);
	struct vr_seg seg[2] = {{to.gpa, HDR}, {to.gpa + HDR, BUF_ROOM - HDR}};

	if (to.at == NULL)
		return false;
	raw_chain(r->bad->nic.rx, 0, seg, 2, VR_DESC_WRITE);
	r->f.gpa = to.gpa;
	r->desc = &r->bad->nic.rx->desc[1];
	return true;
}

static void
flip_receive(struct race_state *r, unsigned turn)
{
	static const uint32_t lens[] = {BUF_ROOM - HDR, 20, UINT32_MAX, BUF_ROOM - HDR};
	static const uint16_t flags[] = {VR_DESC_WRITE, 0, VR_DESC_WRITE};

	r->desc->len = lens[turn % 4];
	r->desc->flags = flags[turn % 3];
	flip_address(r, turn);
}

#define CASE(name, says, ...) \
	{ \
		"race-" name, says, run, &(const struct race){__VA_ARGS__}, 0 \
	}

const struct hcase cases_race[] = {
		CASE("length", "a descriptor's length changes while it is read", .lay = lay_chain,
				.flip = flip_length),
		CASE("address", "a descriptor's address changes while it is read", .lay = lay_chain,
				.flip = flip_address),
		CASE("flags", "flags and next change while they are read", .lay = lay_chain,
				.flip = flip_flags),
		CASE("table-length", "the length of an indirect table changes while it is read",
				.lay = lay_table, .flip = flip_table_length),
		CASE("table-entries", "the entries of an indirect table change while they are read",
				.lay = lay_table, .flip = flip_table_entries),
		CASE("destination",
				"the destination address changes: each gets its own frames only",
				.lay = lay_plain, .flip = flip_destination),
		CASE("source", "the source address changes: none arrives with a group source",
				.lay = lay_plain, .flip = flip_source),
		CASE("header", "the virtio-net header changes: none arrives with offloads",
				.lay = lay_plain, .flip = flip_header),
		CASE("avail", "the available index changes to and fro", .lay = lay_plain,
				.flip = flip_index, .index = true),
		CASE("receive", "a receive descriptor changes while it is read", .lay = lay_receive,
				.flip = flip_receive, .receive = true),
		{.name = NULL},
};
