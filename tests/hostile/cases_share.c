/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guests that want more than their share of a worker. share.h tells how they are judged.
 *
 * With two workers each of them is beside one sender of the gauge, by the order in which they
 * connect; both senders must keep their share.
 */
#define _GNU_SOURCE
#include <string.h>

#include "cases.h"
#include "parcel.h"
#include "share.h"

#define RING VR_SIZE_MAX /* entries: milliseconds of work, for while this program waits for a CPU */
#define HEADS 64
#define SMALL_RING 256
#define TABLE 1024 /* the longest indirect table */
#define PAIRS 16
#define PAIRS_RING 2048
#define BUF 1600
#define LONG 65000 /* payload of a frame that is to be cut */
#define GSO 1448
#define PARTS 45 /* frames that it is cut into */
/*
 * Frames that are made available at a time, where each costs microseconds or hundreds of them. They
 * take milliseconds: long enough to last while this program waits for a CPU, and soon over.
 */
#define DEAR 1024
#define DEARER 256
#define PAIRS_SHOWN 512
#define CROWD 40 /* ports that broadcasts go to */
#define HEADER 12
#define STRANGERS 2048 /* addresses: more than a port may have */
#define MAC_STRANGE 0x07000000
#define REGIONS 8

/*
 * Opens a guest whose rings are empty, for the case to fill. It takes those of `features` that the
 * switch offers.
 */
static struct party *
open_bare(struct hostile *h, unsigned ring, unsigned pairs, uint64_t features)
{
	struct nic_opts opts = party_opts();

	opts.dev.rx_size = opts.dev.tx_size = (uint16_t)ring;
	opts.dev.mem.region_size = 4 << 20;
	opts.dev.features |= features;
	opts.rx_bufs = opts.tx_bufs = 1;
	if (pairs > 1) {
		opts.dev.n_pairs = pairs;
		opts.dev.features |= VU_F_MQ;
		opts.dev.protocol |= VU_PROTOCOL_MQ;
	}
	return party_open(h, &opts);
}

/* A sender and a receiver that have met, with nothing on their rings. */
static bool
open_two(struct hostile *h, struct party **from, uint64_t sends, struct party **to, uint64_t takes)
{
	*from = open_bare(h, RING, 1, sends);
	*to = *from != NULL ? open_bare(h, RING, 1, takes) : NULL;
	return *to != NULL && party_meet(*from, *to) && raw_receive_begin(*to, *from);
}

/* `from` sends frames of `len` bytes by a ring as fast as it can, and makes `n` available at a time. */
static bool
send_always(struct contest *c, struct party *from, struct vr_ring *vr, unsigned n,
		const uint8_t *to, uint32_t len)
{
	for (uint16_t i = 0; i < HEADS; i++) {
		struct buf b = raw_frame(from, to, len);

		if (b.at == NULL)
			return false;
		vr_raw_desc(vr, i, b.gpa, b.len, 0, 0);
	}
	contest_pump(c, vr, n, HEADS, true);
	return true;
}

/* The same with TCP frames that are to be segmented. */
static bool
send_long(struct contest *c, struct party *from, unsigned n, const struct party *to)
{
	static struct parcel p;
	struct vr_ring *tx = from->nic.tx;
	struct buf b;

	parcel_make(&p, &(struct parcel_spec){.payload = LONG, .gso_size = GSO}, to->mac, from->mac,
			1);
	b = raw_buf(from, 1, HEADER + p.len);
	if (b.at == NULL)
		return false;
	memcpy(b.at, &p.vnet, HEADER);
	memcpy(b.at + HEADER, p.bytes, p.len);
	vr_raw_desc(tx, 0, b.gpa, b.len, 0, 0);
	contest_pump(c, tx, n, 1, true);
	return true;
}

/* Buffers of `len` bytes, one descriptor each. */
static bool
receive_always(struct contest *c, struct party *p, uint32_t len)
{
	struct buf b = raw_buf(p, 1, len);

	if (b.at == NULL)
		return false;
	vr_raw_desc(p->nic.rx, 0, b.gpa, b.len, VR_DESC_WRITE, 0);
	contest_pump(c, p->nic.rx, p->nic.rx->size, 1, false);
	return true;
}

/* `n` buffers, each an indirect table of TABLE descriptors: the first of `first` bytes, then `rest`. */
static bool
receive_chains(struct contest *c, struct party *p, unsigned n, uint32_t first, uint32_t rest)
{
	struct buf table = raw_buf(p, 1, TABLE * sizeof(struct vr_desc)), room = raw_buf(p, 1, BUF);

	if (table.at == NULL || room.at == NULL)
		return false;
	for (unsigned i = 0; i < TABLE; i++)
		raw_entry(p->nic.rx, table.at, i, room.gpa, i == 0 ? first : rest,
				VR_DESC_WRITE | (i == TABLE - 1 ? 0 : VR_DESC_NEXT),
				(uint16_t)(i + 1));
	vr_raw_desc(p->nic.rx, 0, table.gpa, table.len, VR_DESC_INDIRECT, 0);
	contest_pump(c, p->nic.rx, n, 1, false);
	return true;
}

/* Chains of descriptors without a byte. */
static bool
greedy_empty(struct contest *c)
{
	struct party *p, *peer;
	struct vr_ring *tx;
	struct buf table;

	if (!party_pair(c->h, &p, &peer))
		return false;
	tx = p->nic.tx;
	table = raw_buf(p, 1, TABLE * sizeof(struct vr_desc));
	if (table.at == NULL)
		return false;
	for (unsigned i = 0; i < TABLE; i++)
		raw_entry(tx, table.at, i, 0, 0, i == TABLE - 1 ? 0 : VR_DESC_NEXT,
				(uint16_t)(i + 1));
	for (unsigned i = 0; i < tx->size - 1u; i++)
		vr_raw_desc(tx, (uint16_t)i, 0, 0, VR_DESC_NEXT, (uint16_t)(i + 1));
	vr_raw_desc(tx, (uint16_t)(tx->size - 1), table.gpa, table.len, VR_DESC_INDIRECT, 0);
	contest_pump(c, tx, tx->size, 1, true);
	return true;
}

/* The longest frames, from as many queue pairs as are allowed, into one ring. */
static bool
greedy_pairs(struct contest *c)
{
	struct party *p = open_bare(c->h, PAIRS_RING, PAIRS, 0);
	struct party *peer = open_bare(c->h, RING, 1, 0);

	if (p == NULL || peer == NULL || !party_meet(p, peer) || !raw_receive_begin(peer, p) ||
			!receive_always(c, peer, BUF))
		return false;
	for (unsigned i = 0; i < PAIRS; i++)
		if (!send_always(c, p, p->nic.pair[i].tx, PAIRS_SHOWN, peer->mac, 1514))
			return false;
	return true;
}

/* Frames to a guest whose receive chains are as long as possible and hold hardly anything. */
static bool
greedy_receiver(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, 0, &peer, 0) &&
			send_always(c, p, p->nic.tx, RING, peer->mac, FRAME_MIN) &&
			receive_chains(c, peer, RING, HEADER + FRAME_MIN, 0);
}

/* Frames to a guest that never takes anything. */
static bool
greedy_deaf(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, 0, &peer, 0) &&
			send_always(c, p, p->nic.tx, RING, peer->mac, FRAME_MIN);
}

/* Frames with more addresses than are learned, to the sender itself: dropped as soon as they were routed. */
static bool
greedy_strangers(struct contest *c)
{
	struct party *p, *peer;

	if (!open_two(c->h, &p, 0, &peer, 0))
		return false;
	for (uint16_t i = 0; i < STRANGERS; i++) {
		struct buf b = raw_frame(p, p->mac, FRAME_MIN);

		if (b.at == NULL)
			return false;
		mac_make(b.at + HEADER + 6, MAC_STRANGE + i);
		vr_raw_desc(p->nic.tx, i, b.gpa, b.len, 0, 0);
	}
	contest_pump(c, p->nic.tx, RING, STRANGERS, true);
	return true;
}

/* Frames that are too short to have addresses. */
static bool
greedy_short(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, 0, &peer, 0) && send_always(c, p, p->nic.tx, RING, peer->mac, 1);
}

/* Frames of the longest chains of one byte each, all in the last of as many regions as may be. */
static bool
greedy_regions(struct contest *c)
{
	struct nic_opts opts = party_opts();
	struct party *p, *peer;
	struct buf table;

	opts.dev.mem.n_regions = REGIONS;
	p = party_open(c->h, &opts);
	peer = p != NULL ? party_open(c->h, &opts) : NULL;
	if (peer == NULL || !party_meet(p, peer))
		return false;
	table = raw_buf(p, REGIONS - 1, TABLE * sizeof(struct vr_desc));
	if (table.at == NULL)
		return false;
	for (unsigned i = 0; i < TABLE; i++)
		raw_entry(p->nic.tx, table.at, i, table.gpa, 1, i == TABLE - 1 ? 0 : VR_DESC_NEXT,
				(uint16_t)(i + 1));
	vr_raw_desc(p->nic.tx, 0, table.gpa, table.len, VR_DESC_INDIRECT, 0);
	contest_pump(c, p->nic.tx, p->nic.tx->size, 1, true);
	return true;
}

/* Frames of 64 KiB, to a guest that takes them as they are. */
static bool
greedy_long(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, VU_F_CSUM | VU_F_HOST_TSO4, &peer,
			       VU_F_GUEST_CSUM | VU_F_GUEST_TSO4) &&
			send_long(c, p, DEARER, peer) &&
			receive_always(c, peer, HEADER + PARCEL_MAX);
}

/* Frames of 64 KiB, to a guest for which the switch segments them and computes checksums. */
static bool
greedy_cut(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, VU_F_CSUM | VU_F_HOST_TSO4, &peer, 0) &&
			send_long(c, p, DEARER, peer) && receive_always(c, peer, BUF);
}

/* The same, and its chains are as long as possible: most frames are dropped for that. */
static bool
greedy_cut_chains(struct contest *c)
{
	struct party *p, *peer;

	return open_two(c->h, &p, VU_F_CSUM | VU_F_HOST_TSO4, &peer, 0) &&
			send_long(c, p, RING, peer) && receive_chains(c, peer, RING, HEADER, 2);
}

/* The same, and the last part finds no chain, so that all are looked at in vain. */
static bool
greedy_cut_in_vain(struct contest *c)
{
	struct party *p, *peer;
	struct vr_ring *rx;
	struct buf b;

	if (!open_two(c->h, &p, VU_F_CSUM | VU_F_HOST_TSO4, &peer, 0) ||
			!send_long(c, p, DEARER, peer))
		return false;
	rx = peer->nic.rx;
	b = raw_buf(peer, 1, BUF);
	if (b.at == NULL)
		return false;
	/* A ring's descriptors by turns, in chains of 32 that any driver may have. */
	for (unsigned i = 0; i < 32; i++)
		vr_raw_desc(rx, (uint16_t)i, b.gpa, BUF / 32,
				VR_DESC_WRITE | (i < 31 ? VR_DESC_NEXT : 0), (uint16_t)(i + 1));
	contest_pump(c, rx, PARTS - 1, 1, false);
	return true;
}

/* Broadcasts, to many guests. */
static bool
open_crowd(struct contest *c, struct party **from)
{
	struct party *p;

	neighbours_rest(c->h->neighbours);
	*from = open_bare(c->h, RING, 1, 0);
	if (*from == NULL)
		return false;
	for (unsigned i = 0; i < CROWD; i++) {
		p = open_bare(c->h, SMALL_RING, 1, 0);
		if (p == NULL || !party_meet(p, *from) || !raw_receive_begin(p, *from))
			return false;
	}
	return true;
}

static bool
greedy_broadcast(struct contest *c)
{
	struct party *p;

	if (!open_crowd(c, &p))
		return false;
	for (unsigned i = 0; i < PARTIES_MAX; i++)
		if (c->h->party[i].open && &c->h->party[i] != p &&
				!receive_always(c, &c->h->party[i], BUF))
			return false;
	return send_always(c, p, p->nic.tx, DEAR, mac_broadcast, FRAME_MIN);
}

/* The same, and no port takes anything: each frame waits for all of them. */
static bool
greedy_broadcast_deaf(struct contest *c)
{
	struct party *p;

	return open_crowd(c, &p) && send_always(c, p, p->nic.tx, DEAR, mac_broadcast, 1514);
}

struct greed {
	bool (*begin)(struct contest *c);
	unsigned greedy;
};

static void
run(struct hostile *h, const void *arg)
{
	const struct greed *g = arg;
	struct contest c = {.h = h};

	if (!g->begin(&c))
		return;
	h->greedy = g->greedy;
	contest_judge(&c);
}

#define CASE(name, says, begin, greedy) \
	{ \
		"share-" name, says, run, &(const struct greed){begin, greedy}, 0 \
	}

const struct hcase cases_share[] = {
		CASE("empty-chains",
				"a sender of chains of empty descriptors gets its share, and no more",
				greedy_empty, 1),
		CASE("pairs", "so does a sender of longest frames with 16 queue pairs",
				greedy_pairs, 1),
		CASE("receive-chains",
				"and a sender to receive chains as long as can be, with their owner",
				greedy_receiver, 2),
		CASE("deaf", "and a sender to a guest that takes nothing", greedy_deaf, 1),
		CASE("strangers", "and a sender with more addresses than are learned",
				greedy_strangers, 1),
		CASE("short", "and a sender of frames that are too short", greedy_short, 1),
		CASE("regions", "and one whose chains are in the last of eight regions",
				greedy_regions, 1),
		CASE("long", "and a sender of frames of 64 KiB", greedy_long, 1),
		CASE("cut", "and one whose frames of 64 KiB are cut", greedy_cut, 1),
		CASE("cut-chains", "the same, into chains as long as can be, with their owner",
				greedy_cut_chains, 2),
		CASE("cut-in-vain", "the same, and the last part finds no room", greedy_cut_in_vain,
				2),
		CASE("broadcast", "and a sender of broadcasts to 40 ports", greedy_broadcast, 1),
		CASE("broadcast-deaf", "the same, to ports that take nothing",
				greedy_broadcast_deaf, 1),
		{NULL, NULL, NULL, NULL, 0},
};
