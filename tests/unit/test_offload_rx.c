/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Frames with offloads from one ring to another, split and packed: carried to a guest that takes
 * them, finished for any other. A guest gets all segments of a frame or none. In each way to add up
 * bytes.
 */
#include <rte_common.h>

#include "guest/rx.h"
#include "frame/cost.h"
#include "frame/offload.h"
#include "ring.h"
#include "packet.h"
#include "sums.h"
#include "run/stats.h"

#define SIZE 64 /* entries of each ring */
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define ALL 0x3f /* every offload */

/* A receiver, of either format, and what it knows of the buffers that it offered. */
struct receiver {
	struct ring *r;
	uint16_t next;
	uint64_t gpa[SIZE];
};

struct way {
	struct ring *tx;
	struct receiver rx[2]; /* split, packed */
	struct burst burst;
	struct port_count count;
	struct packet packet;
	uint8_t got[HDR + PACKET_MAX];
};

static int
setup(void **state)
{
	struct way *w = unit_zalloc(sizeof(*w));
	unsigned int i;

	w->tx = ring_create(SIZE, 65530);
	w->tx->vq.offloads = ALL;
	w->rx[0].r = ring_create(SIZE, 65533);
	w->rx[1].r = ring_create_packed(SIZE, SIZE - 3);
	for (i = 0; i < 2; i++)
		w->rx[i].r->vq.mergeable = false;
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct way *w = *state;

	ring_destroy(w->tx);
	ring_destroy(w->rx[0].r);
	ring_destroy(w->rx[1].r);
	free(w);
	return 0;
}

/* The sender's ring: all is as before the last frame. Descriptors: header and head, then fragments. */
static void
send_packet(struct way *w, const struct packet_spec *s, uint32_t first, uint32_t step)
{
	uint32_t total, done, n = HDR + first, i = 0;
	uint64_t gpa;

	packet_make(&w->packet, s);
	w->tx->free = RING_GPA;
	gpa = ring_packet(w->tx, &w->packet, &total);
	for (done = 0; done < total; done += n, n = step, i++) {
		n = RTE_MIN(n, total - done);
		ring_desc(w->tx, i, gpa + done, n, done + n < total ? NEXT : 0, i + 1);
	}
	ring_offer(w->tx, 0);
	assert_int_equal(w->tx->vq.source.ops->fetch(&w->tx->vq.source, &w->burst, 1), 1);
	assert_int_equal(w->burst.frame->reason, DROP_NONE);
	memset(&w->count, 0, sizeof(w->count));
}

static void
retire(struct way *w)
{
	w->tx->vq.source.ops->retire(&w->tx->vq.source, w->burst.frame, 1, &w->count);
	ring_expect(w->tx, 0, 0);
}

static struct outcome
deliver(struct way *w, struct receiver *rx)
{
	w->burst.cost = 0; /* as for each visit */
	return rx_deliver(&rx->r->vq, &w->burst, 1, &w->count);
}

static void
offer(struct receiver *rx, uint64_t gpa, uint32_t len, uint16_t flags)
{
	uint16_t id = rx->next++ % SIZE;

	rx->gpa[id] = gpa;
	ring_one(rx->r, id, gpa, len, flags);
}

static void
offer_room(struct receiver *rx, unsigned int n, uint32_t len)
{
	for (; n > 0; n--) {
		if (rx->r->free + len > RING_SEAM)
			rx->r->free = RING_GPA;
		offer(rx, ring_bytes(rx->r, len), len, WRITE);
	}
}

/* Takes a frame into w->got. Returns its length, header included; 0: there is none. */
static uint32_t
take(struct way *w, struct receiver *rx)
{
	uint32_t id, len, total = 0, n = 1;

	do {
		if (!ring_used(rx->r, &id, &len)) {
			assert_int_equal(total, 0);
			return 0;
		}
		memcpy(w->got + total, ring_at(rx->r, rx->gpa[id], len), len);
		total += len;
		if (n == 1 && total == len)
			n = w->got[10] | w->got[11] << 8;
		assert_int_not_equal(n, 0);
	} while (--n > 0);
	return total;
}

/* All that the receiver now has must be what the packet is cut into. Returns how many. */
static unsigned int
expect_cut(struct way *w, struct receiver *rx, const struct packet_spec *s, bool partial)
{
	struct virtio_net_hdr want = {.flags = 0};
	uint32_t at = 0, len;
	unsigned int i;

	if (partial) {
		want.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		want.csum_start = w->packet.vnet.csum_start;
		want.csum_offset = w->packet.vnet.csum_offset;
	}
	for (i = 0; (len = take(w, rx)) != 0; i++) {
		assert_memory_equal(w->got, &want, sizeof(want));
		at += packet_expect(&w->packet, s, w->got + HDR, len - HDR, i, at, partial);
	}
	assert_int_equal(at, s->payload);
	return i;
}

/* As it was sent, under the header that says so. */
static void
expect_carried(struct way *w, struct receiver *rx)
{
	struct virtio_net_hdr want = w->packet.vnet;

	if (want.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		want.hdr_len = 0;
	assert_int_equal(take(w, rx), HDR + w->packet.len);
	assert_memory_equal(w->got, &want, sizeof(want));
	assert_memory_equal(w->got + HDR, w->packet.bytes, w->packet.len);
	ring_expect_none(rx->r);
}

/* Packets that no guest without offloads could send. */
static const struct packet_spec kinds[] = {
		{.payload = 1000, .tcp_flags = 0x18, .seed = 1},
		{.payload = 999, .udp = true, .ipv6 = true, .tags = 1, .seed = 2},
		{.payload = 65483,
				.gso_size = 1448,
				.tcp_options = 12,
				.tcp_flags = 0x99,
				.seed = 3},
		{.payload = 60000,
				.gso_size = 1428,
				.ipv6 = true,
				.tcp_options = 12,
				.tags = 2,
				.seed = 4},
		{.payload = 20000, .gso_size = 1400, .udp = true, .seed = 5},
		{.payload = 20001,
				.gso_size = 1400,
				.udp = true,
				.ipv6 = true,
				.tags = 1,
				.seed = 6},
};

static void
test_carried(void **state)
{
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i, k;

	for (i = 0; i < 2 * RTE_DIM(kinds); i++) {
		rx = &w->rx[i % 2];
		rx->r->vq.offloads = ALL;
		for (k = 0; k < 2; k++) { /* one buffer, or mergeable ones */
			rx->r->vq.mergeable = k;
			send_packet(w, &kinds[i / 2], k ? 100 : 66, 4096);
			offer_room(rx, k ? (HDR + w->packet.len + 2047) / 2048 : 1,
					k ? 2048 : 66000);
			assert_int_equal(deliver(w, rx).taken, 1);
			expect_carried(w, rx);
			retire(w);
			assert_int_equal(w->count.sent, 1);
			assert_int_equal(w->count.sent_bytes, w->packet.len);
			assert_int_equal(w->count.segments | w->count.checksums, 0);
		}
	}
}

static void
test_finished(void **state)
{
	struct way *w = *state;
	const struct packet_spec *s;
	struct receiver *rx;
	unsigned int i, k, n;
	uint8_t takes;

	for (i = 0; i < 2 * RTE_DIM(kinds); i++) {
		rx = &w->rx[i % 2];
		s = &kinds[i / 2];
		for (k = 0; k < 4; k++) {
			takes = k % 2 ? OFFLOAD_CSUM : 0;
			if (takes && s->gso_size == 0)
				continue; /* it would be carried */
			n = s->gso_size == 0 ? 1 : (s->payload + s->gso_size - 1) / s->gso_size;
			rx->r->vq.offloads = takes;
			rx->r->vq.mergeable = k / 2;
			send_packet(w, s, 37, 4093);
			offer_room(rx, SIZE, k / 2 && n < 20 ? 900 : 1600);
			assert_int_equal(deliver(w, rx).taken, 1);
			assert_int_equal(expect_cut(w, rx, s, takes), n);
			retire(w);
			assert_int_equal(w->count.sent, 1);
			assert_int_equal(w->count.sent_bytes, w->packet.len);
			assert_int_equal(w->count.segments, n > 1 ? n : 0);
			assert_int_equal(w->count.checksums, takes ? 0 : n);
			/* Starts again without the buffers that are left. */
			teardown((void **)&w);
			setup((void **)&w);
			*state = w;
			rx = &w->rx[i % 2];
		}
	}
}

/* What a guest takes only in part is segmented for it: without ECN, or without one address family. */
static void
test_feature_missing(void **state)
{
	static const uint8_t missing[] = {OFFLOAD_CSUM, OFFLOAD_TSO4, OFFLOAD_ECN};
	struct packet_spec s = {.payload = 4000, .gso_size = 1000, .tcp_flags = 0x90};
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i;

	for (i = 0; i < 2 * RTE_DIM(missing); i++) {
		rx = &w->rx[i % 2];
		rx->r->vq.offloads = ALL & ~missing[i / 2];
		send_packet(w, &s, 54, 4096);
		w->burst.frame->offload |= OFFLOAD_ECN;
		offer_room(rx, 4, 2048);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(expect_cut(w, rx, &s, missing[i / 2] != OFFLOAD_CSUM), 4);
		retire(w);
	}
}

/* Room for all but one: nothing is taken, nothing is seen by the guest; then all at once. */
static void
test_no_room(void **state)
{
	struct packet_spec s = {.payload = 10000, .gso_size = 1000};
	struct way *w = *state;
	struct receiver *rx;
	struct outcome o;
	unsigned int i, k;

	for (i = 0; i < 4; i++) {
		rx = &w->rx[i % 2];
		k = i / 2 ? 3 : 1; /* buffers that a segment takes */
		rx->r->vq.mergeable = i / 2;
		send_packet(w, &s, 54, 4096);
		offer_room(rx, 10 * k - 1, i / 2 ? 400 : 1100);
		for (unsigned int times = 0; times < 3; times++) {
			o = deliver(w, rx);
			assert_int_equal(o.taken | o.refused, 0);
			ring_expect_none(rx->r);
		}
		assert_int_equal(w->count.sent | w->count.segments | w->count.checksums, 0);
		offer_room(rx, 1, i / 2 ? 400 : 1100);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(expect_cut(w, rx, &s, false), 10);
		retire(w);
	}
}

/* Not even room for the first: that is looked for once, until more buffers come. */
static void
test_no_room_for_the_first(void **state)
{
	struct packet_spec s = {.payload = 4000, .gso_size = 1000};
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i, k;

	for (i = 0; i < 2; i++) {
		rx = &w->rx[i];
		rx->r->vq.mergeable = true;
		send_packet(w, &s, 54, 4096);
		offer_room(rx, 2, 400);
		for (k = 0; k < 3; k++) {
			assert_int_equal(deliver(w, rx).taken, 0);
			assert_int_equal(w->burst.cost, COST_DEST + (k == 0 ? 2 * COST_DESC : 0));
		}
		offer_room(rx, 4, 1100);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(expect_cut(w, rx, &s, false), 4);
		retire(w);
	}
}

static void
test_never_any_room(void **state)
{
	struct packet_spec s = {.payload = SIZE * 100 + 1, .gso_size = 100};
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		rx = &w->rx[i];
		offer_room(rx, SIZE, 1100);
		/* More than the ring has entries, */
		send_packet(w, &s, 54, 4096);
		assert_int_equal(deliver(w, rx).refused, 1);
		assert_int_equal(w->burst.frame->reason, DROP_TOO_BIG);
		ring_expect_none(rx->r);
		retire(w);
		/* or longer than a buffer. */
		s = (struct packet_spec){.payload = 4000, .gso_size = 1100};
		send_packet(w, &s, 54, 4096);
		assert_int_equal(deliver(w, rx).refused, 1);
		assert_int_equal(w->burst.frame->reason, DROP_TOO_BIG);
		ring_expect_none(rx->r);
		retire(w);
		/* What fits is taken from where the ring is. */
		s = (struct packet_spec){.payload = SIZE * 100, .gso_size = 100};
		send_packet(w, &s, 54, 4096);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(expect_cut(w, rx, &s, false), SIZE);
		retire(w);
		s = (struct packet_spec){.payload = SIZE * 100 + 1, .gso_size = 100};
	}
}

/* An unusable buffer among those of the segments: the buffers go back, up to that one. */
static void
test_bad_buffer(void **state)
{
	struct packet_spec s = {.payload = 5000, .gso_size = 1000};
	struct way *w = *state;
	struct receiver *rx;
	uint32_t id, len;
	unsigned int i, k;

	for (i = 0; i < 2; i++) {
		rx = &w->rx[i];
		send_packet(w, &s, 54, 4096);
		offer_room(rx, 3, 1100);
		offer(rx, RING_END - 1, 1100, WRITE);
		offer_room(rx, 5, 1100);
		assert_int_equal(deliver(w, rx).refused, 1);
		assert_int_equal(w->burst.frame->reason, DROP_RX_DESCRIPTOR);
		for (k = 0; k < 4; k++) {
			assert_true(ring_used(rx->r, &id, &len));
			assert_int_equal(id, k);
			assert_int_equal(len, 0);
		}
		ring_expect_none(rx->r);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(expect_cut(w, rx, &s, false), 5);
		retire(w);
	}
}

/* What the sender writes after the check, even into headers, reaches no receiver's headers. */
static void
test_private_headers(void **state)
{
	struct packet_spec s = {.payload = 2000, .gso_size = 1000, .tcp_options = 12};
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		rx = &w->rx[i % 2];
		rx->r->vq.offloads = i < 4 ? ALL : 0;
		rx->r->vq.mergeable = i / 2 == 1;
		send_packet(w, &s, 66, 4096);
		memset(ring_at(w->tx, RING_GPA, HDR + 66), 0xff, HDR + 66);
		offer_room(rx, 2, 2100);
		assert_int_equal(deliver(w, rx).taken, 1);
		if (i < 4) {
			expect_carried(w, rx);
		} else {
			assert_int_equal(expect_cut(w, rx, &s, false), 2);
		}
		retire(w);
		teardown((void **)&w);
		setup((void **)&w);
		*state = w;
	}
}

/* A checksum that the uplink's NIC has verified: guests that negotiated it are told. */
static void
test_data_valid(void **state)
{
	struct packet_spec s = {.payload = 100};
	struct way *w = *state;
	struct receiver *rx;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		rx = &w->rx[i % 2];
		rx->r->vq.offloads = i / 2 ? OFFLOAD_CSUM : 0;
		send_packet(w, &s, 54, 4096);
		w->burst.frame->offload = 0;
		w->burst.frame->vnet =
				(struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_DATA_VALID};
		offer_room(rx, 1, 2048);
		assert_int_equal(deliver(w, rx).taken, 1);
		assert_int_equal(take(w, rx), HDR + w->packet.len);
		assert_int_equal(w->got[0], i / 2 ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
		retire(w);
	}
}

/* Long frames: only frames that are to be segmented may be long, and only if the sender has negotiated that. */
static void
test_long(void **state)
{
	struct packet_spec s = {.payload = 5000, .gso_size = 1000};
	struct way *w = *state;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		send_packet(w, &s, 54, 4096);
		retire(w);
		w->tx->vq.offloads = i == 1 ? OFFLOAD_CSUM : ALL;
		if (i > 1)
			memset(ring_at(w->tx, RING_GPA, HDR), 0, HDR);
		if (i == 3)
			*ring_at(w->tx, RING_GPA, HDR) = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		ring_offer(w->tx, 0);
		assert_int_equal(w->tx->vq.source.ops->fetch(&w->tx->vq.source, &w->burst, 1), 1);
		assert_int_equal(w->burst.frame->reason,
				i == 0                   ? DROP_NONE
						: i == 3 ? DROP_OFFLOAD
							 : DROP_LONG);
		assert_int_equal(w->burst.frame->len, i == 0 ? w->packet.len : 0);
		retire(w);
		w->tx->vq.offloads = ALL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_carried),
			TEST(test_finished),
			TEST(test_feature_missing),
			TEST(test_no_room),
			TEST(test_no_room_for_the_first),
			TEST(test_never_any_room),
			TEST(test_bad_buffer),
			TEST(test_private_headers),
			TEST(test_data_valid),
			TEST(test_long),
	};

	unit_both();
	return sums_run(tests);
}
