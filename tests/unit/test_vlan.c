/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Tags and padding on the uplink: the real one, on a port of DPDK whose way out is its way in. */
#include <stdio.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "ring.h"
#include "conf/conf_parse.h"
#include "switch/source.h"
#include "run/stats.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

#define TAG RTE_BE16(RTE_ETHER_TYPE_VLAN)

/* An open uplink, and one burst. */
struct wire {
	struct conf conf;
	struct ports ports;
	struct uplink *u;
	char name[32];
	struct burst burst;
	struct port_count count;
	uint8_t bytes[BURST_MAX][2048];
};

static int
teardown(void **state)
{
	struct wire *w = *state;

	uplink_stop(w->u, &w->count);
	uplink_free(w->u);
	free(w);
	return 0;
}

/* Opens the uplink with these options. */
static int
open_wire(void **state, char **words, int n)
{
	static unsigned int serial;
	struct wire *w = unit_zalloc(sizeof(*w));

	assert_int_equal(conf_parse(&w->conf, n, words), CONF_RUN);
	snprintf(w->name, sizeof(w->name), "net_ring%u", serial++);
	assert_int_equal(rte_eal_hotplug_add("vdev", w->name, ""), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(w->name, &w->conf.port_id), 0);
	w->u = uplink_open(&w->conf, &w->ports, 1);
	assert_non_null(w->u);
	*state = w;
	return 0;
}

static int
setup(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", NULL};

	return open_wire(state, words, 3);
}

static int
setup_keep(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-strip=0", NULL};

	return open_wire(state, words, 4);
}

static int
setup_untagged(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-base=0", NULL};

	return open_wire(state, words, 4);
}

/* Writes a frame with these tags (outer first, 0 ends) over what frame_make() makes. */
static uint32_t
tagged(uint8_t *buf, const uint16_t *tci, uint32_t len, uint32_t seed)
{
	const struct rte_ether_addr to = mac_of(1, 0), from = mac_of(2, 0);
	uint32_t at = 12;
	uint16_t be;

	frame_make(buf, &to, &from, len, seed);
	for (; *tci != 0; tci++, at += 4, len += 4) {
		memmove(buf + at + 4, buf + at, len - at);
		be = TAG;
		memcpy(buf + at, &be, 2);
		be = rte_cpu_to_be_16(*tci);
		memcpy(buf + at + 2, &be, 2);
	}
	return len;
}

/* Makes frame i of the burst of bytes[i]; a guest's frame in up to two fragments. */
static void
guest_frame(struct wire *w, unsigned int i, uint32_t len, uint32_t cut)
{
	struct frame *f = &w->burst.frame[i];

	*f = (struct frame){.len = len, .frag = &w->burst.frag[2 * i], .nfrags = 1 + (cut != 0)};
	f->frag[0] = (struct fragment){w->bytes[i], cut != 0 ? cut : len};
	f->frag[1] = (struct fragment){w->bytes[i] + cut, len - cut};
	memcpy(&f->eth, w->bytes[i], sizeof(f->eth));
}

/* Takes one frame off the wire and compares. */
static void
assert_on_wire(struct wire *w, const uint8_t *want, uint32_t len)
{
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, len);
	assert_int_equal(m->data_len, len);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), want, len);
	rte_pktmbuf_free(m);
}

static void
assert_wire_empty(struct wire *w)
{
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 0);
}

/* Puts a frame on the wire, in segments of `segment` bytes (0: one), with mbuf flags. */
static void
put_on_wire(struct wire *w, const uint8_t *bytes, uint32_t len, uint32_t segment, uint64_t flags,
		uint16_t tci)
{
	struct rte_mbuf *m = NULL, *s;
	uint32_t at, n;

	for (at = 0; at < len; at += n) {
		n = segment == 0 ? len : RTE_MIN(segment, len - at);
		s = rte_pktmbuf_alloc(w->u->mbufs);
		assert_non_null(s);
		memcpy(rte_pktmbuf_append(s, n), bytes + at, n);
		if (at == 0)
			m = s;
		else
			assert_int_equal(rte_pktmbuf_chain(m, s), 0);
	}
	assert_non_null(m);
	m->ol_flags |= flags;
	m->vlan_tci = tci;
	assert_int_equal(rte_eth_tx_burst(w->u->port, 0, &m, 1), 1);
}

static struct frame *
fetch_one(struct wire *w)
{
	assert_int_equal(w->u->pool[0].source.ops->fetch(
					 &w->u->pool[0].source, &w->burst, BURST_MAX),
			1);
	return w->burst.frame;
}

static void
retire_one(struct wire *w)
{
	w->u->pool[0].source.ops->retire(&w->u->pool[0].source, w->burst.frame, 1, &w->count);
}

/* Fetches one frame: what guests get of it, as forwarding copies it. */
static void
assert_fetched(struct wire *w, const uint8_t *want, uint32_t len, int tci)
{
	struct frame *f = fetch_one(w);
	uint8_t got[2048];
	uint32_t at = 0, i;

	assert_int_equal(f->reason, DROP_NONE);
	assert_int_equal(f->len, len);
	assert_int_equal(f->tagged, tci >= 0);
	if (tci >= 0)
		assert_int_equal(f->tci, tci);
	for (i = 0; i < f->nfrags; at += f->frag[i].len, i++)
		memcpy(got + at, f->frag[i].base, f->frag[i].len);
	memcpy(got, &f->eth, sizeof(f->eth));
	assert_int_equal(at, len);
	assert_memory_equal(got, want, len);
	retire_one(w);
}

static void
test_insert(void **state)
{
	static const uint16_t none[] = {0}, one[] = {1001, 0};
	static const uint32_t lens[] = {56, 57, 60, 61, 300, 1514, 1522};
	struct wire *w = *state;
	uint8_t want[2048];
	uint32_t i, cut, len;

	for (i = 0; i < RTE_DIM(lens); i++) {
		for (cut = 0; cut < 40; cut += 13) {
			tagged(w->bytes[0], none, lens[i], i);
			guest_frame(w, 0, lens[i], cut);
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count)
							 .taken,
					1);
			len = tagged(want, one, lens[i], i);
			assert_on_wire(w, want, len);
			/* Without a tag of the sender's: as it is. */
			if (lens[i] < 60)
				continue;
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 0, &w->count).taken,
					1);
			assert_on_wire(w, w->bytes[0], lens[i]);
		}
	}
	assert_wire_empty(w);
}

static void
test_guest_tagged(void **state)
{
	static const uint16_t one[] = {0xe000 | 7, 0}, two[] = {8, 9, 0};
	struct wire *w = *state;
	uint32_t len = tagged(w->bytes[0], one, 100, 1);

	guest_frame(w, 0, len, 0);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
	assert_on_wire(w, w->bytes[0], len);
	len = tagged(w->bytes[0], two, 100, 1);
	guest_frame(w, 0, len, 15);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
	assert_on_wire(w, w->bytes[0], len);
}

/*
 * What leaves by the uplink, for each tag of a guest's own and each tag of its device: the outer
 * tag of a C-VLAN, an S-VLAN (802.1ad) or of no VLAN at all, with and without another inside.
 */
static void
test_tags_out(void **state)
{
	static const struct {
		uint16_t type, own; /* 0: no tag */
		uint16_t inner;
		uint16_t device; /* with UPLINK_RETAG: own-tags=drop */
		uint16_t type_out, out;
	} cases[] = {
			{0, 0, 0, 1001, 0x8100, 1001},
			{0x8100, 7, 0, 1001, 0x8100, 7},
			{0x8100, 0xe007, 0, 1001, 0x8100, 0xe007},
			{0x8100, 7, 9, 1001, 0x8100, 7},
			{0x8100, 7, 0, 0, 0x8100, 7},
			{0x88a8, 7, 9, 1001, 0x88a8, 7},
			/* Priority tags: the device's VLAN, the guest's priority and drop eligibility. */
			{0x8100, 0xa000, 0, 1001, 0x8100, 0xa000 | 1001},
			{0x8100, 0x1000, 0, 1001, 0x8100, 0x1000 | 1001},
			{0x8100, 0, 0, 1001, 0x8100, 1001},
			{0x8100, 0xa000, 9, 1001, 0x8100, 0xa000 | 1001},
			{0x88a8, 0xa000, 9, 1001, 0x8100, 0xa000 | 1001},
			/* No VLAN of the guest's, and none of the device's. */
			{0x8100, 0xa000, 0, 0, 0x8100, 0xa000},
			{0x88a8, 0xa000, 9, 0, 0x88a8, 0xa000},
			/* A tag that the guest put there after it was looked at. */
			{0x8100, 0xa007, 0, UPLINK_RETAG | 1001, 0x8100, 0xa000 | 1001},
			{0x88a8, 0xa007, 9, UPLINK_RETAG | 1001, 0x8100, 0xa000 | 1001},
			{0, 0, 0, UPLINK_RETAG | 1001, 0x8100, 1001},
			{0x8100, 0xa007, 0, UPLINK_RETAG, 0x8100, 0xa000},
	};
	struct wire *w = *state;
	uint8_t want[2048];
	uint32_t i, cut, len;
	uint16_t be;

	for (i = 0; i < 2 * RTE_DIM(cases); i++) {
		const uint16_t own = cases[i / 2].own, inner = cases[i / 2].inner;
		uint16_t tci[] = {0x999, inner, 0}, none[] = {0};

		cut = i % 2 ? 15 : 0; /* fragments that end within the tag */
		len = tagged(w->bytes[0], cases[i / 2].type ? tci : none, 100, i);
		len = cases[i / 2].type ? len : 100;
		if (cases[i / 2].type) {
			be = rte_cpu_to_be_16(cases[i / 2].type);
			memcpy(w->bytes[0] + 12, &be, 2);
			be = rte_cpu_to_be_16(own);
			memcpy(w->bytes[0] + 14, &be, 2);
		}
		guest_frame(w, 0, len, cut);
		/* Its bytes as they are, but for the outer tag. */
		memcpy(want, w->bytes[0], len);
		if (!cases[i / 2].type) {
			memmove(want + 16, want + 12, len - 12);
			len += 4;
		}
		be = rte_cpu_to_be_16(cases[i / 2].type_out);
		memcpy(want + 12, &be, 2);
		be = rte_cpu_to_be_16(cases[i / 2].out);
		memcpy(want + 14, &be, 2);
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, cases[i / 2].device,
						 &w->count)
						 .taken,
				1);
		assert_on_wire(w, want, len);
	}
	assert_wire_empty(w);
}

/* What an mbuf held before must never reach the wire behind a short frame. */
static void
test_padding(void **state)
{
	static const uint16_t none[] = {0}, one[] = {1001, 0};
	uint8_t want[2048] = {0};
	struct rte_mbuf *m[512];
	struct wire *w = *state;
	uint32_t len, tag, n;
	unsigned int i;

	/* Every mbuf that may be used next was full of something. */
	assert_int_equal(rte_pktmbuf_alloc_bulk(w->u->mbufs, m, RTE_DIM(m)), 0);
	for (i = 0; i < RTE_DIM(m); i++)
		memset(m[i]->buf_addr, 0xdb, m[i]->buf_len);
	rte_pktmbuf_free_bulk(m, RTE_DIM(m));
	for (tag = 0; tag < 2; tag++) {
		for (len = 14; len < 62; len++) {
			tagged(w->bytes[0], none, len, len);
			memset(w->bytes[0] + len, 0xdb, 64);
			guest_frame(w, 0, len, 0);
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, tag ? 1001 : 0,
							 &w->count)
							 .taken,
					1);
			memset(want, 0, 64);
			n = tagged(want, tag ? one : none, len, len);
			assert_on_wire(w, want, RTE_MAX(n, 60u));
		}
	}
}

/* A port that puts tags on itself is told which, and only for frames without one. */
static void
test_insert_by_port(void **state)
{
	static const uint16_t none[] = {0}, one[] = {5, 0};
	struct wire *w = *state;
	struct rte_mbuf *m[2];

	w->u->insert_hw = true;
	guest_frame(w, 0, tagged(w->bytes[0], none, 100, 1), 0);
	guest_frame(w, 1, tagged(w->bytes[1], one, 100, 1), 0);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 3, 1001, &w->count).taken, 3);
	assert_int_equal(rte_eth_rx_burst(w->u->port, 0, m, 2), 2);
	assert_true(m[0]->ol_flags & RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m[0]->vlan_tci, 1001);
	assert_int_equal(m[0]->pkt_len, 100);
	assert_false(m[1]->ol_flags & RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m[1]->pkt_len, 104);
	rte_pktmbuf_free_bulk(m, 2);
}

/* A full queue takes the first ones; the others are where they were, and no mbuf is lost. */
static void
test_queue_full(void **state)
{
	static const uint16_t none[] = {0};
	struct wire *w = *state;
	unsigned int i, all = rte_mempool_avail_count(w->u->mbufs), taken = 0;
	uint64_t bytes = 0;
	struct outcome o;
	struct rte_mbuf *m;

	for (i = 0; i < BURST_MAX; i++)
		guest_frame(w, i, tagged(w->bytes[i], none, 60 + i, i), 0);
	do {
		o = uplink_deliver(w->u, 0, &w->burst, UINT64_MAX, 0, &w->count);
		assert_int_equal(o.refused, 0);
		assert_true((o.taken & (o.taken + 1)) == 0); /* a prefix */
		taken += __builtin_popcountll(o.taken);
		assert_true(taken < 100000);
	} while (o.taken == UINT64_MAX);
	assert_int_equal(uplink_reason(w->u, 0), DROP_UPLINK_FULL);
	assert_int_equal(w->count.sent, taken);
	for (i = 0; i < taken; i++) {
		assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
		assert_int_equal(m->pkt_len, 60 + i % BURST_MAX);
		bytes += m->pkt_len;
		rte_pktmbuf_free(m);
	}
	assert_int_equal(w->count.sent_bytes, bytes);
	assert_wire_empty(w);
	assert_int_equal(rte_mempool_avail_count(w->u->mbufs), all);
}

static void
test_no_mbuf(void **state)
{
	static const uint16_t none[] = {0};
	struct wire *w = *state;
	struct rte_mbuf *m[8192];
	unsigned int n = 0;
	struct outcome o;

	guest_frame(w, 0, tagged(w->bytes[0], none, 60, 1), 0);
	while (n < RTE_DIM(m) && (m[n] = rte_pktmbuf_alloc(w->u->mbufs)) != NULL)
		n++;
	assert_true(n > 0 && n < RTE_DIM(m));
	o = uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count);
	assert_true(o.taken == 0 && o.refused == 0);
	assert_int_equal(uplink_reason(w->u, 0), DROP_NO_MBUF);
	assert_int_equal(w->count.sent, 0);
	rte_pktmbuf_free_bulk(m, n);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
}

static void
test_strip(void **state)
{
	static const uint16_t none[] = {0}, one[] = {0xa000 | 1001, 0}, two[] = {1001, 77, 0},
			      inner[] = {77, 0};
	struct wire *w = *state;
	uint8_t in[2048], want[2048];
	uint32_t segment;

	for (segment = 0; segment <= 70; segment += 35) {
		put_on_wire(w, in, tagged(in, one, 100, 1), segment, 0, 0);
		assert_fetched(w, want, tagged(want, none, 100, 1), 0xa000 | 1001);
		/* The outer one alone is the switch's. */
		put_on_wire(w, in, tagged(in, two, 100, 2), segment, 0, 0);
		assert_fetched(w, want, tagged(want, inner, 100, 2), 1001);
		put_on_wire(w, in, tagged(in, none, 100, 3), segment, 0, 99);
		assert_fetched(w, in, 100, -1);
	}
	/* The port took it off: what is left in the frame is the guest's. */
	put_on_wire(w, in, tagged(in, inner, 100, 4), 0,
			RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 1002);
	assert_fetched(w, in, 104, 1002);
	/* A tag that is cut off in the middle is none. */
	tagged(in, one, 100, 5);
	put_on_wire(w, in, 17, 0, 0, 0);
	assert_fetched(w, in, 17, -1);
}

static void
test_keep(void **state)
{
	static const uint16_t one[] = {1001, 0}, two[] = {1001, 77, 0};
	struct wire *w = *state;
	uint8_t in[2048];
	uint32_t len;

	len = tagged(in, one, 100, 1);
	put_on_wire(w, in, len, 0, 0, 0);
	assert_fetched(w, in, len, 1001);
	len = tagged(in, two, 100, 1);
	put_on_wire(w, in, len, 40, 0, 0);
	assert_fetched(w, in, len, 1001);
}

/* With an untagged uplink every tag is the guests' own, if it names a VLAN. */
static void
test_untagged(void **state)
{
	static const uint16_t one[] = {1001, 0};
	struct wire *w = *state;
	uint8_t in[2048];
	uint32_t len = tagged(in, one, 100, 1);

	put_on_wire(w, in, len, 0, 0, 0);
	assert_fetched(w, in, len, 1001);
}

/* Priority tags there: stripped as any other tag of the uplink's, or kept. */
static void
untagged_priority(struct wire *w, bool stripped)
{
	static const uint16_t none[] = {0}, inner[] = {77, 0};
	uint16_t one[] = {0x999, 0}, two[] = {0x999, 77, 0};
	uint8_t in[2048], want[2048];
	uint32_t len, segment;

	for (segment = 0; segment <= 35; segment += 35) {
		len = tagged(in, one, 100, 1);
		in[14] = 0xa0;
		in[15] = 0;
		put_on_wire(w, in, len, segment, 0, 0);
		if (stripped)
			assert_fetched(w, want, tagged(want, none, 100, 1), 0xa000);
		else
			assert_fetched(w, in, len, 0xa000);
		len = tagged(in, two, 100, 1);
		in[14] = 0xa0;
		in[15] = 0;
		put_on_wire(w, in, len, segment, 0, 0);
		if (stripped)
			assert_fetched(w, want, tagged(want, inner, 100, 1), 0xa000);
		else
			assert_fetched(w, in, len, 0xa000);
	}
}

static void
test_untagged_priority(void **state)
{
	untagged_priority(*state, true);
}

static void
test_untagged_priority_kept(void **state)
{
	untagged_priority(*state, false);
}

static int
setup_untagged_keep(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-base=0", "--vlan-strip=0", NULL};

	return open_wire(state, words, 5);
}

static void
test_length(void **state)
{
	static const uint16_t none[] = {0};
	struct wire *w = *state;
	uint8_t in[2048];

	tagged(in, none, 1600, 1);
	put_on_wire(w, in, 1522, 0, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_NONE);
	retire_one(w);
	put_on_wire(w, in, 1523, 700, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_LONG);
	retire_one(w);
	put_on_wire(w, in, 13, 0, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_SHORT);
	retire_one(w);
}

/* Some NICs strip tags that guests are to see; the frame is as it was on the wire. */
static void
test_keep_stripped(void **state)
{
	static const uint16_t none[] = {0}, one[] = {0x2000 | 1001, 0};
	struct wire *w = *state;
	uint8_t in[2048], want[2048];
	uint32_t len;

	tagged(in, none, 300, 1);
	len = tagged(want, one, 300, 1);
	put_on_wire(w, in, 300, 0, RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 0x2000 | 1001);
	assert_fetched(w, want, len, 0x2000 | 1001);
}

/* --vm2vm 2: the frame brings its tag along, and the sender's is for the others. */
static void
test_nic_tags(void **state)
{
	static const uint16_t one[] = {1001, 0}, two[] = {1002, 0};
	static const uint16_t none[] = {0};
	struct wire *w = *state;
	uint8_t want[2048];
	uint32_t len, i;

	w->u->nic_tags = true;
	for (i = 0; i < 2; i++) {
		tagged(w->bytes[0], none, 300, i);
		guest_frame(w, 0, 300, 0);
		w->burst.frame[0].tagged = i;
		w->burst.frame[0].tci = 1002;
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
		len = tagged(want, i ? two : one, 300, i);
		assert_on_wire(w, want, len);
	}
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_insert, setup),
			TEST(test_guest_tagged, setup),
			TEST(test_tags_out, setup),
			TEST(test_padding, setup),
			TEST(test_insert_by_port, setup),
			TEST(test_queue_full, setup),
			TEST(test_no_mbuf, setup),
			TEST(test_strip, setup),
			TEST(test_keep, setup_keep),
			TEST(test_keep_stripped, setup_keep),
			TEST(test_nic_tags, setup),
			TEST(test_untagged, setup_untagged),
			TEST(test_untagged_priority, setup_untagged),
			TEST(test_untagged_priority_kept, setup_untagged_keep),
			TEST(test_length, setup),
	};

	return cmocka_run_group_tests_name("vlan", tests, unit_eal, unit_eal_end);
}
