/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a guest's frames may take of the uplink: no more than an mbuf holds, and no more than a visit's time. */
#include <rte_ethdev.h>

#include "frame/cost.h"
#include "packet.h"
#include "wire.h"

#define CUT 8        /* frames in a burst */
#define SEGMENTS 200 /* what each of them is cut into */

static struct packet packet;
static struct headers headers[CUT];

static int
setup_tso(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--tso", "1", NULL};

	return wire_open(state, words, 5);
}

/* A port that came since the start has guests with jumbo frames, for which the uplink has no room. */
static void
test_longer_than_mbufs(void **state)
{
	static uint8_t bytes[9022];
	struct wire *w = *state;
	struct frame *f = &w->burst.frame[0];
	struct outcome o;

	assert_true(sizeof(bytes) > rte_pktmbuf_data_room_size(w->u->mbufs));
	wire_guest_frame(w, 0, 60, 0);
	f->len = f->frag->len = sizeof(bytes);
	f->frag->base = bytes;
	o = uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count);
	assert_int_equal(o.taken, 0);
	assert_int_equal(o.refused, 1);
	assert_int_equal(f->reason, DROP_LONG);
	wire_assert_empty(w);
}

/* Makes frame i of the burst one that is to be cut into SEGMENTS. */
static void
make_cut(struct wire *w, unsigned int i)
{
	const struct packet_spec spec = {.payload = SEGMENTS, .gso_size = 1, .seed = i};
	struct frame *f = &w->burst.frame[i];

	packet_make(&packet, &spec);
	memcpy(w->bytes[i], packet.bytes, packet.len);
	wire_guest_frame(w, i, packet.len, 0);
	w->burst.plain &= ~frame_set_one(i);
	assert_int_equal(offload_check(f, &packet.vnet, &headers[i], OFFLOAD_CSUM | OFFLOAD_TSO4,
					 w->u->frame_max),
			DROP_NONE);
	assert_int_equal(offload_frames(f), SEGMENTS);
}

/* Frames that become many: a visit ends when it has cost enough, and the others wait for the next one. */
static void
test_visit_ends(void **state)
{
	struct wire *w = *state;
	uint32_t one = SEGMENTS * COST_SEGMENT;
	struct outcome o;
	unsigned int i;

	for (i = 0; i < CUT; i++)
		make_cut(w, i);
	assert_true(CUT * one > COST_VISIT_MAX + 2 * one);
	o = uplink_deliver(w->u, 0, &w->burst, frame_set_of(CUT), 0, &w->count);
	assert_int_equal(o.refused, 0);
	assert_int_equal(o.taken, frame_set_of(COST_VISIT_MAX / one + 1));
	assert_true(w->burst.put_off);
	assert_in_range(w->burst.cost, COST_VISIT_MAX, COST_VISIT_MAX + 2 * one);
	assert_int_equal(w->count.segments, frame_set_count(o.taken) * SEGMENTS);
}

/* A port takes a part of the segments: the others follow, also if they are longer than it says it carries. */
static void
test_no_segment_is_lost(void **state)
{
	struct rte_mbuf *m[BURST_MAX];
	struct wire *w = *state;
	unsigned int n, got = 0;
	bool left;

	w->u->carries = 40;
	for (n = 0; w->u->tx[0].npending == 0; n++) {
		assert_true(n < 100);
		make_cut(w, 0);
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, 0, &w->count).taken, 1);
	}
	do {
		n = rte_eth_rx_burst(w->u->port, 0, m, BURST_MAX);
		assert_true(n == 0 || m[0]->pkt_len > w->u->carries);
		rte_pktmbuf_free_bulk(m, n);
		got += n;
		left = uplink_work(w->u, 0);
		assert_int_equal(left, w->u->tx[0].npending != 0);
	} while (n != 0);
	assert_int_equal(got, w->count.segments);
}

/* The limit is that of a frame without its first tag, for segments with a guest's own tag as for other frames. */
static void
test_segments_with_own_tag(void **state)
{
	struct wire *w = *state;
	struct frame *f = &w->burst.frame[0];
	struct rte_mbuf *m;
	struct outcome o;
	unsigned int i;

	w->u->limit = 1514;
	for (i = 0; i < 4; i++) {
		const struct packet_spec spec = {
				.tags = i / 2, .payload = 1900, .gso_size = 1460 + i % 2};

		packet_make(&packet, &spec);
		memcpy(w->bytes[0], packet.bytes, packet.len);
		wire_guest_frame(w, 0, packet.len, 0);
		w->burst.plain = 0;
		assert_int_equal(offload_check(f, &packet.vnet, &headers[0],
						 OFFLOAD_CSUM | OFFLOAD_TSO4, w->u->frame_max),
				DROP_NONE);
		o = uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count);
		assert_int_equal(o.taken, i % 2 == 0);
		if (i % 2 != 0) {
			assert_int_equal(f->reason, DROP_LONG);
			continue;
		}
		assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
		assert_int_equal(m->pkt_len, 1518); /* with the guest's tag, or its port's */
		rte_pktmbuf_free(m);
		assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	wire_assert_empty(w);
}

/* A frame that the NIC is to cut ends in an mbuf with some bytes of it, whoever adds the tag. */
static void
test_no_mbuf_is_empty(void **state)
{
	struct wire *w = *state;
	const uint32_t room = rte_pktmbuf_data_room_size(w->u->mbufs) - RTE_PKTMBUF_HEADROOM;
	static uint8_t bytes[3 * 2048 + 64];
	struct packet_spec spec = {.gso_size = 1000};
	struct frame *f = &w->burst.frame[0];
	struct rte_mbuf *m, *s;
	uint32_t len, extra;
	unsigned int i;

	assert_true(2 * room + 8 < sizeof(bytes));
	w->u->nic = (struct uplink_nic){.offloads = OFFLOAD_CSUM | OFFLOAD_TSO4,
			.mbufs_max = 8,
			.segments_max = 64,
			.segment_max = 1522};
	for (i = 0; i < 3 * 12; i++) {
		/* An untagged port, a tag in the frame, and a tag by the NIC. */
		w->u->insert_hw = i % 3 == 2;
		extra = i % 3 == 1 ? RTE_VLAN_HLEN : 0;
		len = 2 * room - 6 + i / 3;
		spec.payload = len - 54;
		packet_make(&packet, &spec);
		assert_int_equal(packet.len, len);
		memcpy(bytes, packet.bytes, len);
		wire_guest_frame(w, 0, 60, 0);
		w->burst.plain = 0;
		memcpy(&f->eth, bytes, sizeof(f->eth));
		f->len = f->frag->len = len;
		f->frag->base = bytes;
		assert_int_equal(offload_check(f, &packet.vnet, &headers[0],
						 OFFLOAD_CSUM | OFFLOAD_TSO4, w->u->frame_max),
				DROP_NONE);
		assert_int_equal(uplink_deliver(w->u, 0, &w->burst, 1, i % 3 == 0 ? 0 : 1001,
						 &w->count)
						 .taken,
				1);
		assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
		assert_int_equal(m->pkt_len, len + extra);
		assert_int_equal(m->nb_segs, (len + extra + room - 1) / room);
		for (s = m; s != NULL; s = s->next) {
			assert_in_range(s->data_len, 1, room);
			len -= RTE_MIN(len, s->data_len);
		}
		rte_pktmbuf_free(m);
	}
	wire_assert_empty(w);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, wire_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_longer_than_mbufs, wire_setup),
			TEST(test_visit_ends, setup_tso),
			TEST(test_no_segment_is_lost, setup_tso),
			TEST(test_no_mbuf_is_empty, setup_tso),
			TEST(test_segments_with_own_tag, setup_tso),
	};

	return cmocka_run_group_tests_name("uplink_bounds", tests, unit_eal, unit_eal_end);
}
