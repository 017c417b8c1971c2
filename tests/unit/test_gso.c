/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Completing checksums and segmenting frames, in each way to add up bytes. The result is compared
 * with an independent computation, byte by byte (packet.h).
 */
#include <rte_common.h>

#include "frame/checksum.h"
#include "frame/copy.h"
#include "frame/gso.h"
#include "packet.h"
#include "sums.h"

#define ALL 0xff
#define MTU_FRAME 9022

/* A packet as a frame in fragments, each in memory of its own, so that sanitizers see its ends. */
struct cut {
	struct packet packet;
	struct frame frame;
	struct headers headers;
	struct fragment frag[CHAIN_MAX];
	struct gso gso;
	uint8_t *out; /* the frame that came out last, in memory of its length */
};

static int
setup(void **state)
{
	*state = unit_zalloc(sizeof(struct cut));
	return 0;
}

static void
free_frags(struct cut *c)
{
	for (; c->frame.nfrags > 0; c->frame.nfrags--)
		free(c->frag[c->frame.nfrags - 1].base);
}

static int
teardown(void **state)
{
	struct cut *c = *state;

	free_frags(c);
	free(c->out);
	free(c);
	return 0;
}

/* Cuts the packet after `first` bytes, then every `step` of them, the last fragment aside. */
static void
make_frags(struct cut *c, uint32_t first, uint32_t step)
{
	uint32_t at = 0, n = first;
	struct fragment *p;

	free_frags(c);
	c->frame = (struct frame){.frag = c->frag, .len = c->packet.len};
	for (; at < c->packet.len; at += n, n = step) {
		if (n > c->packet.len - at || c->frame.nfrags == CHAIN_MAX - 1)
			n = c->packet.len - at;
		p = &c->frag[c->frame.nfrags++];
		p->base = malloc(n);
		p->len = n;
		assert_non_null(p->base);
		memcpy(p->base, c->packet.bytes + at, n);
	}
}

/*
 * Copies a frame to c->out, and completes its checksum if the receiver does not take it as it is.
 * All ways to complete it must give the same.
 */
static void
copy_out(struct cut *c, const struct frame *f, bool takes)
{
	uint8_t *other = malloc(f->len);
	uint16_t sum;

	free(c->out);
	c->out = malloc(f->len);
	assert_non_null(c->out);
	assert_non_null(other);
	frame_copy(other, f);
	if (takes) {
		memcpy(c->out, other, f->len);
	} else {
		checksum_copy(c->out, f);
		checksum_put(other, f);
		assert_memory_equal(other, c->out, f->len);
		sum = checksum_of(f);
		assert_memory_equal(&sum, c->out + checksum_at(f), sizeof(sum));
	}
	free(other);
}

/* Looks at frame i, `at` bytes into the payload. Returns how many bytes of payload it has. */
static uint32_t
expect_one(struct cut *c, const struct packet_spec *s, const struct frame *f, unsigned int i,
		uint32_t at, bool takes)
{
	uint32_t len = 0, k;

	assert_in_range(f->len, 1, MTU_FRAME);
	for (k = 0; k < f->nfrags; k++)
		len += f->frag[k].len;
	assert_int_equal(len, f->len);
	copy_out(c, f, takes);
	assert_memory_equal(&f->eth, c->out, sizeof(f->eth));
	assert_int_equal(f->offload, OFFLOAD_CSUM);
	assert_int_equal(f->vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(f->vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(f->vnet.csum_start, c->packet.vnet.csum_start);
	assert_int_equal(f->vnet.csum_offset, c->packet.vnet.csum_offset);
	len = packet_expect(&c->packet, s, c->out, len, i, at, takes);
	assert_true(s->gso_size == 0 || len == RTE_MIN(s->gso_size, s->payload - at));
	return len;
}

/* Fetches, finishes and looks at all frames. Returns how many. */
static unsigned int
expect_all(struct cut *c, const struct packet_spec *s, bool takes)
{
	const struct frame *f;
	uint32_t at = 0;
	unsigned int i, k;

	assert_int_equal(offload_check(&c->frame, &c->packet.vnet, &c->headers, ALL, MTU_FRAME),
			DROP_NONE);
	if (!(c->frame.offload & OFFLOAD_GSO)) {
		assert_int_equal(expect_one(c, s, &c->frame, 0, 0, takes), s->payload);
		return 1;
	}
	gso_begin(&c->gso, &c->frame);
	for (i = 0; (f = gso_next(&c->gso)) != NULL; i++) {
		assert_int_equal(f->len, gso_len(&c->gso, i));
		for (k = 0; k < f->nfrags; k++)
			assert_int_not_equal(f->frag[k].len, 0);
		at += expect_one(c, s, f, i, at, takes);
	}
	assert_int_equal(at, s->payload);
	assert_int_equal(i, c->gso.n);
	return i;
}

/* Every kind of packet that there is, with so much payload. */
static void
each_kind(struct cut *c, uint32_t payload, uint16_t gso_size, uint32_t first, uint32_t step)
{
	struct packet_spec s = {.payload = payload, .gso_size = gso_size, .tcp_flags = 0x99};
	unsigned int kind, due = gso_size == 0 ? 1 : (payload + gso_size - 1) / gso_size;

	for (kind = 0; kind < 48; kind++) {
		s.ipv6 = kind & 1;
		s.udp = kind >> 1 & 1;
		s.ip_options = kind >> 2 & 1 ? 24 : 0;
		s.tcp_options = kind >> 3 & 1 ? 12 : 0;
		s.tags = kind / 16;
		s.seed = kind + payload;
		packet_make(&c->packet, &s);
		make_frags(c, first, step);
		assert_int_equal(expect_all(c, &s, false), RTE_MAX(due, 1u));
		if (gso_size != 0)
			assert_int_equal(expect_all(c, &s, true), RTE_MAX(due, 1u));
	}
}

static void
test_checksum(void **state)
{
	uint32_t payload;

	for (payload = 0; payload < 20; payload++)
		each_kind(*state, payload, 0, 70, 7);
	each_kind(*state, 1400, 0, 2000, 1);
	each_kind(*state, 1401, 0, 14, 333);
}

/* Fragments that begin and end anywhere: at odd places, within headers, one byte each. */
static void
test_frags(void **state)
{
	uint32_t first, step;

	for (first = 1; first < 160; first += 3)
		for (step = 1; step < 80; step += 13)
			each_kind(*state, 260, step % 2 ? 0 : 101, first, step);
}

static void
test_segments(void **state)
{
	uint32_t payload;

	for (payload = 0; payload < 400; payload += 7)
		each_kind(*state, payload, 100, 90, 61);
	each_kind(*state, 100, 100, 100, 1000); /* just one, filled */
	each_kind(*state, 101, 100, 100, 1000);
	each_kind(*state, 99, 100, 100, 1000);
	each_kind(*state, 200, 1, 100, 1000); /* odd ones */
	each_kind(*state, 14480, 1448, 142, 4096);
	each_kind(*state, 30001, 1401, 142, 32768);
}

/* The longest there is, cut into the most frames that there may be. */
static void
test_largest(void **state)
{
	struct packet_spec s = {.gso_size = 48, .seed = 9};
	struct cut *c = *state;

	s.payload = 65535 - 40;
	packet_make(&c->packet, &s);
	make_frags(c, 66, 4096);
	assert_int_equal(expect_all(c, &s, false), 1365);
	s.ipv6 = s.udp = true;
	s.tags = 2;
	s.payload = 65535 - 48;
	packet_make(&c->packet, &s);
	make_frags(c, 66, 4096);
	assert_int_equal(expect_all(c, &s, false), 1365);
}

/* The numbers that wrap around: identification and sequence numbers. */
static void
test_wrap(void **state)
{
	struct packet_spec s = {.payload = 1000, .gso_size = 100};
	struct cut *c = *state;

	packet_make(&c->packet, &s);
	memset(c->packet.bytes + c->packet.l3 + 4, 0xff, 2);
	memset(c->packet.bytes + c->packet.l4 + 4, 0xff, 4);
	make_frags(c, 54, 1000);
	assert_int_equal(expect_all(c, &s, false), 10);
}

/* In UDP a checksum of 0 would say that there is none: it is sent as 0xffff. */
static void
test_udp_zero(void **state)
{
	struct packet_spec s = {.udp = true, .payload = 2};
	struct cut *c = *state;
	uint8_t *last;

	packet_make(&c->packet, &s);
	last = c->packet.bytes + c->packet.headers;
	memset(last, 0, 2);
	make_frags(c, 42, 2);
	expect_all(c, &s, false);
	/* Now with a payload that makes the sum all ones. */
	memcpy(last, c->out + c->packet.l4 + 6, 2);
	make_frags(c, 42, 2);
	expect_all(c, &s, false);
	assert_int_equal(c->out[c->packet.l4 + 6], 0xff);
	assert_int_equal(c->out[c->packet.l4 + 7], 0xff);
	/* TCP has no such rule. */
	s.udp = false;
	packet_make(&c->packet, &s);
	memset(c->packet.bytes + c->packet.headers, 0, 2);
	make_frags(c, 54, 2);
	expect_all(c, &s, false);
	memcpy(c->packet.bytes + c->packet.headers, c->out + c->packet.l4 + 16, 2);
	make_frags(c, 54, 2);
	expect_all(c, &s, false);
	assert_int_equal(c->out[c->packet.l4 + 16] | c->out[c->packet.l4 + 17], 0);
}

/* The source's own headers are never written to, so a flood can start again from them. */
static void
test_source_unchanged(void **state)
{
	struct packet_spec s = {.payload = 3000, .gso_size = 1000, .tcp_flags = 0x89};
	struct cut *c = *state;
	struct headers before;
	struct frame frame;

	packet_make(&c->packet, &s);
	make_frags(c, 2000, 1000);
	expect_all(c, &s, false);
	before = c->headers;
	frame = c->frame;
	gso_begin(&c->gso, &c->frame);
	while (gso_next(&c->gso) != NULL)
		;
	assert_memory_equal(&before, &c->headers, sizeof(before));
	assert_memory_equal(&frame, &c->frame, sizeof(frame));
	assert_memory_equal(c->frag[0].base, c->packet.bytes, 2000);
	expect_all(c, &s, true);
}

/* The sum of RFC 1071 from a place to the end of some bytes, of which an odd last one is high. */
static uint16_t
sum_from(const uint8_t *bytes, uint32_t at, uint32_t len)
{
	uint32_t sum = 0, i;

	for (i = at; i < len; i++)
		sum += (i - at) % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * Checksums of any protocol: unknown bytes, a sum that begins anywhere after the Ethernet header
 * and is stored anywhere after that, also past the copied headers, in frames of odd and even
 * lengths and odd fragments.
 */
static void
test_generic(void **state)
{
	struct cut *c = *state;
	uint8_t want[1600];
	uint64_t random = 7;
	uint32_t round, i, at, start, offset, zero = 0, far = 0;
	struct virtio_net_hdr *vnet = &c->packet.vnet;
	uint16_t sum;

	for (round = 0; round < 4000; round++) {
		c->packet.len = 60 + unit_random(&random) % 1400;
		start = 14 + unit_random(&random) % 40;
		offset = round % 2 ? 6 : unit_random(&random) % (60 - start - 1);
		if (start + offset + 2 > 60)
			offset = 0;
		if (round % 3 == 1) {
			start = 14 + unit_random(&random) % (c->packet.len - 15);
			offset = unit_random(&random) % (c->packet.len - start - 1);
		} else if (round % 3 == 2 && c->packet.len > HEADERS_MAX + 8) {
			offset = HEADERS_MAX - 4 + unit_random(&random) % 8 - start;
		}
		far += start + offset + 2 > HEADERS_MAX;
		for (i = 0; i < c->packet.len; i++)
			c->packet.bytes[i] = unit_random(&random);
		c->packet.bytes[12] = 0x89; /* HSR */
		c->packet.bytes[13] = 0x2f;
		at = start + offset;
		if (round % 4 < 2) {
			/* A sum that comes out as 0: the last word is chosen for that. */
			i = c->packet.len - 2 - (c->packet.len - start) % 2;
			if (i >= at + 2) {
				c->packet.bytes[i] = c->packet.bytes[i + 1] = 0;
				sum = sum_from(c->packet.bytes, start, c->packet.len);
				c->packet.bytes[i] = sum >> 8;
				c->packet.bytes[i + 1] = sum;
			}
		}
		*vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.csum_start = start,
				.csum_offset = offset};
		make_frags(c, 1 + unit_random(&random) % 100, 1 + unit_random(&random) % 300);
		assert_int_equal(offload_check(&c->frame, vnet, &c->headers, ALL, MTU_FRAME),
				DROP_NONE);
		assert_true(c->headers.generic);
		memcpy(want, c->packet.bytes, c->packet.len);
		sum = sum_from(want, start, c->packet.len);
		zero += sum == 0;
		if (sum == 0 && offset == 6)
			sum = 0xffff;
		want[at] = sum >> 8;
		want[at + 1] = sum;
		copy_out(c, &c->frame, false);
		assert_memory_equal(c->out, want, c->packet.len);
	}
	assert_true(zero > 500);
	assert_true(far > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_checksum),
			TEST(test_frags),
			TEST(test_segments),
			TEST(test_largest),
			TEST(test_wrap),
			TEST(test_udp_zero),
			TEST(test_source_unchanged),
			TEST(test_generic),
	};

	return sums_run(tests);
}
