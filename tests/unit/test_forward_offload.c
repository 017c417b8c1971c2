/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Frames with offloads through forwarding: they are flooded to guests that take offloads and to
 * guests that do not, wait for room, and stay in order with other frames. Every sum agrees at the
 * end (rig_destroy()).
 */
#include "switch/forward.h"
#include "frame/offload.h"
#include "packet.h"
#include "switch/park.h"
#include "rig.h"

#define ALL 0x3f
#define PAYLOAD 5000
#define GSO_SIZE 1000
#define PARTS 5

static struct packet packet;
static const struct packet_spec spec = {
		.payload = PAYLOAD, .gso_size = GSO_SIZE, .tcp_options = 12};

/* Guest 0 sends; 1 takes all, in mergeable buffers; 2 takes checksums; 3 takes nothing. */
static int
setup(void **state)
{
	struct rig *r = rig_create_known(4);

	r->tx[0]->vq.offloads = ALL;
	r->rx[1]->vq.offloads = ALL;
	r->rx[1]->vq.mergeable = true;
	r->rx[2]->vq.offloads = OFFLOAD_CSUM;
	*state = r;
	return 0;
}

/* The packet, as guest 0 sends it. */
static void
make(struct rte_ether_addr to)
{
	struct rte_ether_addr from = mac_of(0, 0);

	packet_make(&packet, &spec);
	memcpy(packet.bytes, &to, sizeof(to));
	memcpy(packet.bytes + sizeof(to), &from, sizeof(from));
}

/* Guest 0 sends the packet to `to`, header and frame in one descriptor. */
static void
send(struct rig *r, struct rte_ether_addr to)
{
	struct ring *tx = r->tx[0];
	uint16_t i = r->tx_next[0]++ % RIG_RING;
	uint32_t len;
	uint64_t gpa;

	make(to);
	gpa = ring_packet(tx, &packet, &len);
	ring_desc(tx, i, gpa, len, 0, 0);
	ring_offer(tx, i);
}

static void
expect_parts(struct rig *r, uint16_t port, bool partial)
{
	const uint8_t *got;
	uint32_t len, at = 0;
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		got = rig_take(r, port, &len);
		assert_non_null(got);
		at += packet_expect(&packet, &spec, got, len, i, at, partial);
	}
	assert_int_equal(at, PAYLOAD);
}

/* Takes all of the frame, in as many buffers as the header in the first one says. */
static void
expect_carried(struct rig *r, uint16_t port)
{
	uint32_t hdr = r->rx[port]->vq.hdr_len, len, at = 0;
	unsigned int i, n = 1;
	const uint8_t *got;

	for (i = 0; i < n; i++) {
		got = rig_take(r, port, &len);
		assert_non_null(got);
		if (i == 0) {
			assert_memory_equal(got - hdr, &packet.vnet, sizeof(packet.vnet));
			n = got[-2];
		} else {
			got -= hdr; /* buffers that follow have none */
			len += hdr;
		}
		assert_memory_equal(got, packet.bytes + at, len);
		at += len;
	}
	assert_int_equal(at, packet.len);
}

static void
test_flood(void **state)
{
	struct rig *r = *state;
	unsigned int i;

	for (i = 1; i < 4; i++)
		rig_offer(r, i, 20);
	send(r, mac_broadcast);
	rig_poll(r, 0);
	expect_carried(r, 1);
	expect_parts(r, 2, true);
	expect_parts(r, 3, false);
	for (i = 1; i < 4; i++)
		rig_expect_none(r, i);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_count(r, 0)->delivered, 1);
	assert_int_equal(rig_count(r, 0)->flooded, 2);
	assert_int_equal(rig_count(r, 0)->received_bytes, packet.len);
	for (i = 1; i < 4; i++) {
		assert_int_equal(rig_count(r, i)->sent, 1);
		assert_int_equal(rig_count(r, i)->sent_bytes, packet.len);
		assert_int_equal(rig_count(r, i)->segments, i == 1 ? 0 : PARTS);
		assert_int_equal(rig_count(r, i)->checksums, i == 3 ? PARTS : 0);
	}
}

/* A frame that waits is a copy of its own: the burst is used for other frames meanwhile. */
static void
test_wait(void **state)
{
	struct rte_ether_addr two = mac_of(2, 0), three = mac_of(3, 0);
	struct rig *r = *state;
	unsigned int i;

	send(r, three);
	for (i = 0; i < 3; i++)
		rig_send(r, 0, &three, 100 + i, i);
	rig_poll(r, 0);
	rig_offer(r, 3, PARTS - 1); /* one too few: nor may a short frame overtake it */
	for (i = 0; i < 3; i++) {
		send(r, two);
		rig_poll(r, 0);
	}
	rig_expect_none(r, 3);
	rig_offer(r, 3, 4);
	rig_poll(r, 0);
	make(three);
	expect_parts(r, 3, false);
	make(two);
	for (i = 0; i < 3; i++)
		rig_expect(r, 3, 0, &three, 100 + i, i);
	rig_offer(r, 2, 3 * PARTS);
	rig_poll(r, 0);
	for (i = 0; i < 3; i++)
		expect_parts(r, 2, true);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_count(r, 3)->segments, PARTS);
	assert_int_equal(rig_count(r, 2)->segments, 3 * PARTS);
}

/* The time is over: it was one frame, and is counted as one. */
static void
test_give_up(void **state)
{
	struct rte_ether_addr three = mac_of(3, 0);
	struct rig *r = *state;

	rig_offer(r, 3, PARTS - 1);
	send(r, three);
	rig_poll(r, 0);
	assert_int_equal(rig_owed(r, 0), 1);
	rig_expire(r, 0);
	rig_poll(r, 0);
	assert_int_equal(rig_owed(r, 0), 0);
	assert_int_equal(rig_count(r, 0)->drop[DROP_RING_FULL], 1);
	assert_int_equal(rig_count(r, 3)->missed, 1);
	rig_expect_none(r, 3);
	rig_offer(r, 3, 1);
	send(r, three);
	rig_poll(r, 0);
	expect_parts(r, 3, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_flood),
			TEST(test_wait),
			TEST(test_give_up),
	};

	unit_both();
	return cmocka_run_group_tests_name("forward_offload", tests, unit_eal, unit_eal_end);
}
