/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Transmit rings as sources of frames: lengths, shapes of chains, offloads, and what is given back. */
#include <rte_common.h>

#include "guest/in_order.h"
#include "pair.h"

/* Offers the frame of `total` bytes, header included, at gpa, cut up as `cut` says (0 ends). */
static void
send_cut(struct pair *p, uint64_t gpa, uint32_t total, const uint32_t *cut)
{
	uint16_t i = 0;

	for (; *cut != 0 && *cut < total; cut++, i++) {
		ring_desc(p->tx, i, gpa, *cut, NEXT, i + 1);
		gpa += *cut;
		total -= *cut;
	}
	ring_desc(p->tx, i, gpa, total, 0, 0);
	ring_offer(p->tx, 0);
}

/* The bytes of a frame of the burst are those that frame_make() made. */
static void
assert_frame(struct pair *p, const struct frame *f, uint32_t len, uint32_t seed)
{
	uint8_t want[10000], *at = want;
	unsigned int i;

	frame_make(want, &p->to, &p->from, len, seed);
	assert_int_equal(f->reason, DROP_NONE);
	assert_int_equal(f->len, len);
	assert_memory_equal(&f->eth, want, sizeof(f->eth));
	for (i = 0; i < f->nfrags; i++) {
		assert_memory_equal(f->frag[i].base, at, f->frag[i].len);
		at += f->frag[i].len;
	}
	assert_int_equal(at - want, len);
}

static void
assert_lost(const struct frame *f, enum drop_reason reason)
{
	assert_string_equal(drop_name(f->reason), drop_name(reason));
	assert_int_equal(f->len, 0);
	assert_int_equal(f->nfrags, 0);
}

static void
test_fetch_single(void **state)
{
	struct pair *p = *state;
	uint32_t i;

	assert_int_equal(pair_fetch(p, BURST_MAX), 0);
	for (i = 0; i < 20; i++)
		pair_send(p, i, 14 + i * 79);
	assert_int_equal(pair_fetch(p, 5), 5);
	for (i = 0; i < 5; i++) {
		assert_frame(p, &p->burst.frame[i], 14 + i * 79, 14 + i * 79);
		assert_int_equal(p->burst.frame[i].id, i);
	}
	assert_int_equal(pair_fetch(p, BURST_MAX), 15);
	for (i = 0; i < 15; i++)
		assert_frame(p, &p->burst.frame[i], 14 + (i + 5) * 79, 14 + (i + 5) * 79);
	assert_int_equal(pair_fetch(p, BURST_MAX), 0);
	/* Given back in the order of the mask's bits, with nothing written. */
	ring_expect_none(p->tx);
	pair_retire(p, 1 << 14 | 1 << 3);
	ring_expect(p->tx, 8, 0);
	ring_expect(p->tx, 19, 0);
	ring_expect_none(p->tx);
}

/* Every way to cut a short frame in two and in three, and with either header. */
static void
test_fetch_cut(void **state)
{
	struct pair *p = *state;
	uint32_t hdr_len, total, cut[3] = {0, 0, 0};
	uint64_t gpa;

	for (hdr_len = 10; hdr_len <= 12; hdr_len += 2) {
		p->tx->vq.hdr_len = hdr_len;
		total = hdr_len + 20;
		gpa = ring_bytes(p->tx, total);
		memset(ring_at(p->tx, gpa, total), 0, hdr_len);
		frame_make(ring_at(p->tx, gpa, total) + hdr_len, &p->to, &p->from, 20, 4);
		for (cut[0] = 1; cut[0] <= total; cut[0]++) {
			for (cut[1] = 1; cut[1] <= total - cut[0] + 1; cut[1]++) {
				send_cut(p, gpa, total, cut);
				assert_int_equal(pair_fetch(p, BURST_MAX), 1);
				assert_frame(p, p->burst.frame, 20, 4);
				pair_retire(p, 1);
				ring_expect(p->tx, 0, 0);
			}
		}
	}
}

static void
test_fetch_length(void **state)
{
	static const uint32_t none[] = {0};
	struct pair *p = *state;
	uint64_t gpa = ring_bytes(p->tx, 2000);
	uint32_t len;

	memset(ring_at(p->tx, gpa, 2000), 0, 2000);
	for (len = 1; len < HDR + 14; len++) {
		send_cut(p, gpa, len, none);
		assert_int_equal(pair_fetch(p, 1), 1);
		assert_lost(p->burst.frame, DROP_SHORT);
	}
	send_cut(p, gpa, HDR + 14, none);
	assert_int_equal(pair_fetch(p, 1), 1);
	assert_int_equal(p->burst.frame->reason, DROP_NONE);
	send_cut(p, gpa, HDR + 1522, none);
	assert_int_equal(pair_fetch(p, 1), 1);
	assert_int_equal(p->burst.frame->reason, DROP_NONE);
	send_cut(p, gpa, HDR + 1523, none);
	assert_int_equal(pair_fetch(p, 1), 1);
	assert_lost(p->burst.frame, DROP_LONG);
	ring_desc(p->tx, 0, gpa, 0, 0, 0); /* nothing at all */
	ring_offer(p->tx, 0);
	assert_int_equal(pair_fetch(p, 1), 1);
	assert_lost(p->burst.frame, DROP_SHORT);
	/* As long as a chain of this ring can be. */
	for (len = 0; len < SIZE; len++)
		ring_desc(p->tx, len, RING_GPA, RING_END - RING_GPA, len == SIZE - 1 ? 0 : NEXT,
				len + 1);
	ring_offer(p->tx, 0);
	assert_int_equal(pair_fetch(p, 1), 1);
	assert_lost(p->burst.frame, DROP_LONG);
}

/* A port with a smaller MTU (mtu=) takes no longer frames, in one buffer or in several. */
static void
test_fetch_small_mtu(void **state)
{
	static const uint32_t none[] = {0}, two[] = {600, 0};
	struct pair *p = *state;
	uint64_t gpa = ring_bytes(p->tx, 2000);
	unsigned int i;

	memset(ring_at(p->tx, gpa, 2000), 0, 2000);
	p->tx->vq.frame_max = 1022;
	for (i = 0; i < 2; i++) {
		send_cut(p, gpa, HDR + 1022, i == 0 ? none : two);
		assert_int_equal(pair_fetch(p, 1), 1);
		assert_int_equal(p->burst.frame->reason, DROP_NONE);
		send_cut(p, gpa, HDR + 1023, i == 0 ? none : two);
		assert_int_equal(pair_fetch(p, 1), 1);
		assert_lost(p->burst.frame, DROP_LONG);
	}
}

static void
test_fetch_offload(void **state)
{
	static const struct {
		uint8_t flags, gso;
		enum drop_reason reason;
	} cases[] = {
			{0, VIRTIO_NET_HDR_GSO_NONE, DROP_NONE},
			{VIRTIO_NET_HDR_F_DATA_VALID, VIRTIO_NET_HDR_GSO_NONE, DROP_NONE},
			{VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_NONE, DROP_OFFLOAD},
			{0xff, VIRTIO_NET_HDR_GSO_NONE, DROP_OFFLOAD},
			{0, VIRTIO_NET_HDR_GSO_TCPV4, DROP_OFFLOAD},
			{0, VIRTIO_NET_HDR_GSO_TCPV6, DROP_OFFLOAD},
			{0, VIRTIO_NET_HDR_GSO_UDP, DROP_OFFLOAD},
			{0, VIRTIO_NET_HDR_GSO_ECN, DROP_OFFLOAD},
			{0, 0x7f, DROP_OFFLOAD},
	};
	static const uint32_t cuts[][2] = {{0, 0}, {1, 0}, {HDR, 0}};
	struct pair *p = *state;
	uint64_t gpa = ring_bytes(p->tx, HDR + 60);
	struct virtio_net_hdr_mrg_rxbuf *h = (void *)ring_at(p->tx, gpa, HDR + 60);
	size_t i, k;

	frame_make((uint8_t *)h + HDR, &p->to, &p->from, 60, 1);
	for (i = 0; i < RTE_DIM(cases); i++) {
		for (k = 0; k < RTE_DIM(cuts); k++) {
			memset(h, 0xff, HDR); /* what these flags do not use means nothing */
			h->hdr.flags = cases[i].flags;
			h->hdr.gso_type = cases[i].gso;
			send_cut(p, gpa, HDR + 60, cuts[k]);
			assert_int_equal(pair_fetch(p, 1), 1);
			if (cases[i].reason == DROP_NONE)
				assert_frame(p, p->burst.frame, 60, 1);
			else
				assert_lost(p->burst.frame, cases[i].reason);
		}
	}
}

static void
test_fetch_bad(void **state)
{
	struct pair *p = *state;

	pair_send(p, 0, 60);
	ring_desc(p->tx, 1, RING_END, 100, 0, 0);
	ring_offer(p->tx, 1);
	ring_desc(p->tx, 2, RING_GPA, 100, WRITE, 0);
	ring_offer(p->tx, 2);
	pair_send(p, 3, 61);
	assert_int_equal(pair_fetch(p, BURST_MAX), 4);
	assert_frame(p, &p->burst.frame[0], 60, 60);
	assert_lost(&p->burst.frame[1], DROP_DESCRIPTOR);
	assert_lost(&p->burst.frame[2], DROP_DESCRIPTOR);
	assert_frame(p, &p->burst.frame[3], 61, 61);
	pair_retire(p, 0xf);
	ring_expect(p->tx, 0, 0);
	ring_expect(p->tx, 1, 0);
}

/* A broken ring: what came before is still handled, then nothing is touched. */
static void
test_fetch_fault(void **state)
{
	struct pair *p = *state;

	pair_send(p, 0, 60);
	ring_offer(p->tx, SIZE);
	pair_send(p, 1, 61);
	assert_int_equal(pair_fetch(p, BURST_MAX), 1);
	assert_int_equal(p->tx->vq.fault, FAULT_HEAD);
	assert_frame(p, p->burst.frame, 60, 60);
	pair_retire(p, 1);
	ring_expect_none(p->tx);
	assert_int_equal(pair_fetch(p, BURST_MAX), 0);
}

/* Frames of many fragments: as many as there is room for, the rest with the next fetch. */
static void
test_fetch_frags(void **state)
{
	struct pair *p = *state;
	uint64_t table = ring_bytes(p->tx, CHAIN_MAX * 16), gpa = ring_bytes(p->tx, HDR + 1522);
	unsigned int i, n, got = 0, rounds = 0;

	memset(ring_at(p->tx, gpa, HDR), 0, HDR);
	frame_make(ring_at(p->tx, gpa, HDR + 1522) + HDR, &p->to, &p->from, 1522, 5);
	for (i = 0; i < CHAIN_MAX; i++)
		ring_table(p->tx, table, i, gpa + i, i == CHAIN_MAX - 1 ? HDR + 1522 - i : 1,
				i == CHAIN_MAX - 1 ? 0 : NEXT, i + 1);
	for (i = 0; i < BURST_MAX; i++) {
		ring_desc(p->tx, i, table, CHAIN_MAX * 16, INDIRECT, 0);
		ring_offer(p->tx, i);
	}
	for (; (n = pair_fetch(p, BURST_MAX)) != 0; got += n, rounds++) {
		assert_true(p->burst.nfrags <= BURST_FRAGS);
		for (i = 0; i < n; i++) {
			assert_frame(p, &p->burst.frame[i], 1522, 5);
			assert_int_equal(p->burst.frame[i].id, got + i);
		}
	}
	assert_int_equal(got, BURST_MAX);
	assert_true(rounds > 1);
}

#define WRAP 7 /* descriptors of a packed ring */

/*
 * A burst that was fetched with several wraps, as a guest made its descriptors available again meanwhile. All
 * but its first frame are left in the ring: the position is the one after that frame, with the first wrap.
 */
static void
test_back_by_wraps(void **state)
{
	const struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	struct ring *r = ring_create_packed(WRAP, 0);
	struct source *s = &r->vq.source;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct frame frame[3 * WRAP - 1];
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(frame); i++) {
		ring_send(r, 100 + i, &to, &from, 60, 60);
		assert_int_equal(s->ops->fetch(s, b, BURST_MAX), 1);
		frame[i] = b->frame[0];
	}
	memcpy(b->frame, frame, sizeof(frame));
	b->n = RTE_DIM(frame);
	s->ops->unfetch(s, b, 1);
	assert_int_equal(b->n, 1);
	assert_int_equal(r->vq.last_avail, 1);
	assert_true(r->vq.avail_wrap);
	free(b);
	ring_destroy(r);
}

#define LONG_RING 8192

/*
 * A driver that wants its buffers back in order, and whose first frame waits. So many wait for that at most
 * that it takes a bounded time to return them; the others are fetched after that.
 */
static void
test_order_bound(void **state)
{
	const struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	struct ring *r = ring_create(LONG_RING, 0);
	struct burst *b = unit_zalloc(sizeof(*b));
	struct source *s = &r->vq.source;
	struct port_count count = {0};
	struct frame first;
	unsigned int i, n, got = 0;

	(void)state;
	r->vq.in_order = in_order_create(LONG_RING);
	ring_send(r, 0, &to, &from, 60, 60);
	for (i = 1; i < LONG_RING; i++)
		ring_offer(r, 0);
	while ((n = s->ops->fetch(s, b, BURST_MAX)) != 0) {
		if (got == 0)
			first = b->frame[0];
		s->ops->retire(s, b->frame, frame_set_of(n) & ~frame_set_of(got == 0), &count);
		got += n;
	}
	assert_int_equal(got, IN_ORDER_MAX);
	ring_expect_none(r);
	s->ops->retire(s, &first, 1, &count);
	for (i = 0; i < IN_ORDER_MAX; i++)
		ring_expect(r, 0, 0);
	ring_expect_none(r);
	assert_int_equal(s->ops->fetch(s, b, BURST_MAX), BURST_MAX);
	assert_int_equal(r->vq.fault, FAULT_NONE);
	free(b);
	ring_destroy(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_fetch_single),
			TEST(test_fetch_cut),
			TEST(test_fetch_length),
			TEST(test_fetch_small_mtu),
			TEST(test_fetch_offload),
			TEST(test_fetch_bad),
			TEST(test_fetch_fault),
			TEST(test_fetch_frags),
			cmocka_unit_test(test_back_by_wraps),
			cmocka_unit_test(test_order_bound),
	};

	unit_both();
	return cmocka_run_group_tests_name("tx", tests, NULL, NULL);
}
