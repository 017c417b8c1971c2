/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What leaves by the uplink: tags, padding, and what a full queue or an empty pool leaves behind. */
#include <rte_ethdev.h>

#include "wire.h"

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
			wire_tagged(w->bytes[0], none, lens[i], i);
			wire_guest_frame(w, 0, lens[i], cut);
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count)
							 .taken,
					1);
			len = wire_tagged(want, one, lens[i], i);
			wire_assert(w, want, len);
			/* If the sender's device has no tag, the frame leaves unchanged. */
			if (lens[i] < 60)
				continue;
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 0, &w->count).taken,
					1);
			wire_assert(w, w->bytes[0], lens[i]);
		}
	}
	wire_assert_empty(w);
}

/*
 * Frames that only need the tag, between others: a guest's own tag, one that is padded, two fragments, a
 * jumbo frame for which the link is too short. All leave in order, with the header that was checked.
 */
static void
test_mixed(void **state)
{
	static const uint16_t none[] = {0}, own[] = {7, 0}, one[] = {1001, 0};
	static const uint32_t lens[] = {60, 100, 1514, 56, 300, 64, 1600, 61};
	struct wire *w = *state;
	uint8_t want[WIRE_FRAME];
	struct outcome o;
	uint32_t i, len;

	for (i = 0; i < RTE_DIM(lens); i++) {
		len = wire_tagged(w->bytes[i], i == 1 ? own : none, lens[i], i);
		wire_guest_frame(w, i, len, i == 4 ? 40 : 0);
	}
	assert_int_equal(w->burst.plain, 0xaf);
	w->u->limit = 1518;
	/* The guest changes what was checked. */
	memset(w->bytes[0], 0xff, sizeof(struct rte_ether_hdr));
	o = uplink_deliver(w->u, 0, &w->burst, 0xff, 1001, &w->count);
	assert_int_equal(o.taken, 0xbf);
	assert_int_equal(o.refused, 0x40);
	assert_int_equal(w->burst.frame[6].reason, DROP_LONG);
	for (i = 0; i < RTE_DIM(lens); i++) {
		if (i == 6)
			continue;
		len = wire_tagged(want, i == 1 ? own : one, lens[i], i);
		wire_assert(w, want, len);
	}
	wire_assert_empty(w);
	assert_int_equal(w->count.sent, 7);
}

static void
test_guest_tagged(void **state)
{
	static const uint16_t one[] = {0xe000 | 7, 0}, two[] = {8, 9, 0};
	struct wire *w = *state;
	uint32_t len = wire_tagged(w->bytes[0], one, 100, 1);

	wire_guest_frame(w, 0, len, 0);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
	wire_assert(w, w->bytes[0], len);
	len = wire_tagged(w->bytes[0], two, 100, 1);
	wire_guest_frame(w, 0, len, 15);
	assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
	wire_assert(w, w->bytes[0], len);
}

static void
put_tag(uint8_t *frame, uint16_t type, uint16_t tci)
{
	const uint16_t tag[] = {rte_cpu_to_be_16(type), rte_cpu_to_be_16(tci)};

	memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, tag, sizeof(tag));
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
			{0x8100, 0xa007, 9, UPLINK_RETAG, 0x8100, 0xa000},
			{0x88a8, 0, 9, UPLINK_RETAG, 0x88a8, 0},
	};
	struct wire *w = *state;
	uint8_t want[2048];
	uint32_t i, cut, len;

	for (i = 0; i < 2 * RTE_DIM(cases); i++) {
		uint16_t tci[] = {0x999, cases[i / 2].inner, 0}, none[] = {0};

		cut = i % 2 ? 15 : 0; /* fragments that end within the tag */
		len = wire_tagged(w->bytes[0], cases[i / 2].type ? tci : none, 100, i);
		len = cases[i / 2].type ? len : 100;
		if (cases[i / 2].type)
			put_tag(w->bytes[0], cases[i / 2].type, cases[i / 2].own);
		wire_guest_frame(w, 0, len, cut);
		/* Its bytes are unchanged, except the outer tag. */
		memcpy(want, w->bytes[0], len);
		if (!cases[i / 2].type) {
			memmove(want + 16, want + 12, len - 12);
			len += 4;
		}
		put_tag(want, cases[i / 2].type_out, cases[i / 2].out);
		/* A tag of a VLAN within is no tag any more, where no other is around it. */
		if (cases[i / 2].device == UPLINK_RETAG && cases[i / 2].inner != 0)
			memset(want + 16, 0xff, 2);
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, cases[i / 2].device,
						 &w->count)
						 .taken,
				1);
		wire_assert(w, want, len);
	}
	wire_assert_empty(w);
}

/* What an mbuf held before must never reach the wire in the padding of a short frame. */
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
			wire_tagged(w->bytes[0], none, len, len);
			memset(w->bytes[0] + len, 0xdb, 64);
			wire_guest_frame(w, 0, len, 0);
			assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, tag ? 1001 : 0,
							 &w->count)
							 .taken,
					1);
			memset(want, 0, 64);
			n = wire_tagged(want, tag ? one : none, len, len);
			wire_assert(w, want, RTE_MAX(n, 60u));
		}
	}
}

/* A port that inserts tags itself is told which one, and only for frames that have none. */
static void
test_insert_by_port(void **state)
{
	static const uint16_t none[] = {0}, one[] = {5, 0};
	struct wire *w = *state;
	struct rte_mbuf *m[2];

	w->u->insert_hw = true;
	wire_guest_frame(w, 0, wire_tagged(w->bytes[0], none, 100, 1), 0);
	wire_guest_frame(w, 1, wire_tagged(w->bytes[1], one, 100, 1), 0);
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
		wire_guest_frame(w, i, wire_tagged(w->bytes[i], none, 60 + i, i), 0);
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
	wire_assert_empty(w);
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

	wire_guest_frame(w, 0, wire_tagged(w->bytes[0], none, 60, 1), 0);
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

/* --vm2vm 2: a frame that was given its destination's tag leaves with it; others get the sender's. */
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
		wire_tagged(w->bytes[0], none, 300, i);
		wire_guest_frame(w, 0, 300, 0);
		w->burst.frame[0].tagged = i;
		w->burst.frame[0].tci = 1002;
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count).taken, 1);
		len = wire_tagged(want, i ? two : one, 300, i);
		wire_assert(w, want, len);
	}
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, wire_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_insert, wire_setup),
			TEST(test_mixed, wire_setup),
			TEST(test_guest_tagged, wire_setup),
			TEST(test_tags_out, wire_setup),
			TEST(test_padding, wire_setup),
			TEST(test_insert_by_port, wire_setup),
			TEST(test_queue_full, wire_setup),
			TEST(test_no_mbuf, wire_setup),
			TEST(test_nic_tags, wire_setup),
	};

	return cmocka_run_group_tests_name("uplink_tx", tests, unit_eal, unit_eal_end);
}
