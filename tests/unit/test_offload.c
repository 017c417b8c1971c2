/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What guests ask for in their virtio-net headers, checked against the bytes of the frame. */
#include <rte_common.h>

#include "frame/offload.h"
#include "packet.h"

#define FRAME_MAX 1522
#define ALL 0xff

/* A packet as a frame in one fragment that ends where the allocation ends. */
struct asked {
	struct packet packet;
	struct packet_spec spec;
	struct frame frame;
	struct headers headers;
	struct fragment frag;
};

static int
setup(void **state)
{
	*state = unit_zalloc(sizeof(struct asked));
	return 0;
}

static int
teardown(void **state)
{
	struct asked *a = *state;

	free(a->frag.base);
	free(a);
	return 0;
}

static void
make(struct asked *a, struct packet_spec spec)
{
	a->spec = spec;
	packet_make(&a->packet, &spec);
}

/* The verdict on the packet's first `len` bytes. */
static enum drop_reason
check_first(struct asked *a, uint32_t len, uint8_t may)
{
	free(a->frag.base);
	a->frag = (struct fragment){malloc(len), len};
	memcpy(a->frag.base, a->packet.bytes, len);
	a->frame = (struct frame){.frag = &a->frag, .nfrags = 1, .len = len};
	memset(&a->headers, 0xee, sizeof(a->headers));
	return offload_check(&a->frame, &a->packet.vnet, &a->headers, may, FRAME_MAX);
}

static enum drop_reason
check(struct asked *a, uint8_t may)
{
	return check_first(a, a->packet.len, may);
}

/* The kinds: IPv4 or 6, UDP or TCP, options or none, 0 to 2 tags. */
#define KINDS 24
static struct packet_spec
kind(unsigned int i, uint32_t payload, uint16_t gso_size)
{
	return (struct packet_spec){
			.ipv6 = i & 1,
			.udp = i >> 1 & 1,
			.ip_options = i >> 2 & 1 ? 16 : 0,
			.tcp_options = i >> 2 & 1 ? 20 : 0,
			.tags = i / 8,
			.payload = payload,
			.gso_size = gso_size,
			.seed = i,
	};
}

static uint8_t
gso_of(const struct packet_spec *s)
{
	if (s->udp)
		return s->ipv6 ? OFFLOAD_USO6 : OFFLOAD_USO4;
	return s->ipv6 ? OFFLOAD_TSO6 : OFFLOAD_TSO4;
}

static void
test_good(void **state)
{
	struct asked *a = *state;
	unsigned int i, gso;

	for (i = 0; i < 2 * KINDS; i++) {
		gso = i / KINDS;
		make(a, kind(i % KINDS, 1300, gso ? 700 : 0));
		assert_int_equal(check(a, ALL), DROP_NONE);
		assert_memory_equal(&a->frame.eth, a->packet.bytes, sizeof(a->frame.eth));
		assert_ptr_equal(a->frame.headers, &a->headers);
		assert_int_equal(a->headers.l3, a->packet.l3);
		assert_int_equal(a->headers.l4, a->packet.l4);
		assert_int_equal(a->headers.len, a->packet.headers);
		assert_int_equal(a->headers.ipv6, a->spec.ipv6);
		assert_int_equal(a->headers.tcp, !a->spec.udp);
		assert_int_equal(a->headers.extended, a->spec.ipv6 && a->spec.ip_options != 0);
		assert_memory_equal(a->headers.bytes, a->packet.bytes, a->packet.headers);
		assert_int_equal(a->frame.offload, OFFLOAD_CSUM | (gso ? gso_of(&a->spec) : 0));
		assert_int_equal(a->frame.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(a->frame.vnet.csum_start, a->packet.l4);
		assert_int_equal(a->frame.vnet.csum_offset, a->spec.udp ? 6 : 16);
		assert_int_equal(a->frame.vnet.gso_type, a->packet.vnet.gso_type);
		assert_int_equal(a->frame.vnet.gso_size, gso ? 700 : 0);
		assert_int_equal(a->frame.vnet.hdr_len, gso ? a->packet.headers : 0);
		assert_int_equal(offload_frames(&a->frame), gso ? 2 : 1);
	}
}

/* Headers of a long frame of any length that there is room for: also if the first look at them was too short. */
static void
test_long_headers(void **state)
{
	struct packet_spec s = {.ipv6 = true, .payload = 1200};
	struct asked *a = *state;

	for (s.ip_options = 0; s.ip_options <= 176; s.ip_options += 8) {
		make(a, s);
		assert_int_equal(check(a, ALL), DROP_NONE);
		assert_int_equal(a->headers.len, a->packet.headers);
		assert_false(a->headers.generic);
		assert_true(a->headers.held >= a->headers.len);
		assert_memory_equal(a->headers.bytes, a->packet.bytes, a->headers.held);
	}
	/* One more, and the checksum is that of an unknown protocol. */
	make(a, s);
	assert_int_equal(check(a, ALL), DROP_NONE);
	assert_true(a->headers.generic);
}

/* A checksum alone depends on no protocol: it only has to be within the frame, after the Ethernet header. */
static enum drop_reason
bounds(const struct asked *a, uint32_t len)
{
	const struct virtio_net_hdr *vnet = &a->packet.vnet;

	if (vnet->gso_type != 0 || vnet->csum_start < 14 ||
			vnet->csum_start + vnet->csum_offset + 2u > len)
		return DROP_OFFLOAD;
	return DROP_NONE;
}

/* A frame of any kind with its headers' last byte missing, or more of them. */
static void
test_truncated(void **state)
{
	struct asked *a = *state;
	unsigned int i;
	uint32_t len;

	for (i = 0; i < 2 * KINDS; i++) {
		make(a, kind(i % KINDS, 10, i / KINDS ? 5 : 0));
		for (len = 14; len < a->packet.headers; len++)
			assert_int_equal(check_first(a, len, ALL), bounds(a, len));
		assert_int_equal(check_first(a, len, ALL), DROP_NONE);
	}
}

/* Each number in the virtio-net header one too small or too large, or far away. */
static void
test_header_wrong(void **state)
{
	static const int by[] = {-1, 1, -14, 14, 256, -20, 32767, 65535 - 300};
	struct virtio_net_hdr *vnet;
	struct asked *a = *state;
	unsigned int i, k;

	for (i = 0; i < 2 * KINDS; i++) {
		make(a, kind(i % KINDS, 1000, i / KINDS ? 400 : 0));
		vnet = &a->packet.vnet;
		for (k = 0; k < RTE_DIM(by); k++) {
			vnet->csum_start += by[k];
			assert_int_equal(check(a, ALL), bounds(a, a->packet.len));
			vnet->csum_start -= by[k];
			vnet->csum_offset += by[k];
			assert_int_equal(check(a, ALL), bounds(a, a->packet.len));
			vnet->csum_offset -= by[k];
			/* This field is a hint: whatever it says, it is not looked at. */
			vnet->hdr_len += by[k];
			assert_int_equal(check(a, ALL), DROP_NONE);
			vnet->hdr_len -= by[k];
		}
		vnet->flags = 0;
		assert_int_equal(vnet->gso_type == 0 ? DROP_OFFLOAD : check(a, ALL), DROP_OFFLOAD);
	}
}

static void
test_gso_wrong(void **state)
{
	struct asked *a = *state;
	unsigned int i, type;
	bool good;

	for (i = 0; i < KINDS; i++) {
		make(a, kind(i, 1000, 400));
		a->packet.vnet.gso_size = 0;
		assert_int_equal(check(a, ALL), DROP_OFFLOAD);
		a->packet.vnet.gso_size = 400;
		for (type = 0; type < 256; type++) {
			good = type == 0 ||
					type ==
							(a->spec.udp ? 5u
											: a->spec.ipv6
											? 4
											: 1) ||
					(!a->spec.udp && type == (a->spec.ipv6 ? 0x84 : 0x81));
			a->packet.vnet.gso_type = type;
			assert_int_equal(check(a, ALL), good ? DROP_NONE : DROP_OFFLOAD);
		}
	}
}

/* Each offload that was not negotiated. */
static void
test_not_negotiated(void **state)
{
	struct asked *a = *state;
	unsigned int i;

	for (i = 0; i < KINDS; i++) {
		make(a, kind(i, 1000, 0));
		assert_int_equal(check(a, OFFLOAD_CSUM), DROP_NONE);
		assert_int_equal(check(a, ALL & ~OFFLOAD_CSUM), DROP_OFFLOAD);
		assert_int_equal(check(a, 0), DROP_OFFLOAD);
		make(a, kind(i, 1000, 400));
		assert_int_equal(check(a, OFFLOAD_CSUM | gso_of(&a->spec)), DROP_NONE);
		assert_int_equal(check(a, ALL & ~gso_of(&a->spec)), DROP_OFFLOAD);
		assert_int_equal(check(a, ALL & ~OFFLOAD_CSUM), DROP_OFFLOAD);
		if (a->spec.udp)
			continue;
		a->packet.vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		assert_int_equal(check(a, ALL & ~OFFLOAD_ECN), DROP_OFFLOAD);
		assert_int_equal(check(a, ALL), DROP_NONE);
		assert_true(a->frame.offload & OFFLOAD_ECN);
	}
}

/* One byte of the packet's headers is something else. */
static void
expect_with(struct asked *a, uint32_t at, uint8_t value, enum drop_reason reason)
{
	uint8_t before = a->packet.bytes[at];

	a->packet.bytes[at] = value;
	assert_int_equal(check(a, ALL), a->spec.gso_size != 0 ? reason : DROP_NONE);
	if (reason != DROP_NONE && a->spec.gso_size == 0)
		assert_true(a->headers.generic);
	a->packet.bytes[at] = before;
}

static void
test_packet_wrong(void **state)
{
	struct asked *a = *state;
	unsigned int i;
	uint32_t l3;

	for (i = 0; i < 2 * KINDS; i++) {
		make(a, kind(i % KINDS, 1000, i / KINDS ? 400 : 0));
		l3 = a->packet.l3;
		expect_with(a, l3 - 2, 0x88, DROP_OFFLOAD); /* the type, */
		expect_with(a, l3 - 1, 0x06, DROP_OFFLOAD);
		expect_with(a, l3, a->packet.bytes[l3] ^ 0x20, DROP_OFFLOAD); /* the version, */
		if (!a->spec.ipv6) {
			expect_with(a, l3, a->packet.bytes[l3] + 1, DROP_OFFLOAD); /* the length, */
			expect_with(a, l3, 0x44, DROP_OFFLOAD);
			expect_with(a, l3 + 6, 0x20, DROP_OFFLOAD); /* a fragment of a packet, */
			expect_with(a, l3 + 7, 1, DROP_OFFLOAD);
			expect_with(a, l3 + 9, a->spec.udp ? 6 : 17, DROP_OFFLOAD);
			expect_with(a, l3 + 9, 1, DROP_OFFLOAD);
		} else if (a->spec.ip_options == 0) {
			expect_with(a, l3 + 6, a->spec.udp ? 6 : 17, DROP_OFFLOAD);
			expect_with(a, l3 + 6, 44, DROP_OFFLOAD);
			expect_with(a, l3 + 6, 0, DROP_OFFLOAD);
		} else {
			expect_with(a, l3 + 41, 1, DROP_OFFLOAD); /* an extension's length */
			expect_with(a, l3 + 41, 255, DROP_OFFLOAD);
			expect_with(a, l3 + 49, 1, DROP_OFFLOAD);
		}
		if (!a->spec.udp) {
			expect_with(a, a->packet.l4 + 12, 0x40, DROP_OFFLOAD);
			expect_with(a, a->packet.l4 + 12, 0x50, DROP_NONE);
			expect_with(a, a->packet.l4 + 12, 0xf0, DROP_NONE);
		}
	}
	/* A third tag; and headers that go beyond what is looked at. */
	make(a, (struct packet_spec){.tags = 3, .payload = 100, .gso_size = 50});
	assert_int_equal(check(a, ALL), DROP_OFFLOAD);
	make(a, (struct packet_spec){.tags = 3, .payload = 100});
	assert_int_equal(check(a, ALL), DROP_NONE);
	assert_true(a->headers.generic);
	make(a,
			(struct packet_spec){.ipv6 = true,
					.tcp_options = 40,
					.ip_options = 144,
					.payload = 2,
					.gso_size = 1});
	assert_int_equal(a->packet.headers, 14 + 40 + 144 + 60);
	assert_int_equal(check(a, ALL), DROP_OFFLOAD);
	make(a,
			(struct packet_spec){.ipv6 = true,
					.tcp_options = 36,
					.ip_options = 144,
					.payload = 1});
	assert_int_equal(a->packet.headers, 254);
	assert_int_equal(check(a, ALL), DROP_NONE);
}

/* Lengths at their limits: of the frame, of what it is cut into, and how many those are. */
static void
test_limits(void **state)
{
	struct asked *a = *state;

	make(a, (struct packet_spec){.payload = FRAME_MAX - 54});
	assert_int_equal(check(a, ALL), DROP_NONE);
	make(a, (struct packet_spec){.payload = FRAME_MAX - 53});
	assert_int_equal(check(a, ALL), DROP_LONG);
	make(a, (struct packet_spec){.payload = 3000, .gso_size = FRAME_MAX - 54});
	assert_int_equal(check(a, ALL), DROP_NONE);
	make(a, (struct packet_spec){.payload = 3000, .gso_size = FRAME_MAX - 53});
	assert_int_equal(check(a, ALL), DROP_LONG);
	/* Shorter than one of its segments: it is that one. */
	make(a, (struct packet_spec){.payload = 1000, .gso_size = 65535});
	assert_int_equal(check(a, ALL), DROP_NONE);
	assert_int_equal(offload_frames(&a->frame), 1);
	make(a, (struct packet_spec){.payload = 65535 - 40, .gso_size = 1400, .tags = 2});
	assert_int_equal(check(a, ALL), DROP_NONE);
	make(a, (struct packet_spec){.payload = 65535 - 39, .gso_size = 1400});
	assert_int_equal(check(a, ALL), DROP_LONG);
	make(a, (struct packet_spec){.payload = OFFLOAD_SEGMENTS_MAX * 11, .gso_size = 11});
	assert_int_equal(check(a, ALL), DROP_NONE);
	make(a, (struct packet_spec){.payload = OFFLOAD_SEGMENTS_MAX * 11 + 1, .gso_size = 11});
	assert_int_equal(check(a, ALL), DROP_OFFLOAD);
	make(a, (struct packet_spec){.payload = 60000, .gso_size = 1});
	assert_int_equal(check(a, ALL), DROP_OFFLOAD);
	make(a, (struct packet_spec){.udp = true, .gso_size = 1});
	assert_int_equal(check(a, ALL), DROP_NONE);
}

static void
test_features(void **state)
{
	RTE_SET_USED(state);
	assert_int_equal(offload_may_send(0) | offload_may_receive(0), 0);
	assert_int_equal(offload_may_send(1 << VIRTIO_NET_F_CSUM), OFFLOAD_CSUM);
	assert_int_equal(offload_may_send(1 << VIRTIO_NET_F_GUEST_CSUM), 0);
	assert_int_equal(offload_may_receive(1 << VIRTIO_NET_F_GUEST_CSUM), OFFLOAD_CSUM);
	assert_int_equal(offload_may_receive(1 << VIRTIO_NET_F_CSUM), 0);
	assert_int_equal(offload_may_send(1 << VIRTIO_NET_F_HOST_TSO4), OFFLOAD_TSO4);
	assert_int_equal(offload_may_send(1 << VIRTIO_NET_F_HOST_TSO6), OFFLOAD_TSO6);
	assert_int_equal(offload_may_send(1 << VIRTIO_NET_F_HOST_ECN), OFFLOAD_ECN);
	assert_int_equal(offload_may_send(1ULL << 56), OFFLOAD_USO4 | OFFLOAD_USO6);
	assert_int_equal(offload_may_receive(1 << VIRTIO_NET_F_GUEST_TSO4), OFFLOAD_TSO4);
	assert_int_equal(offload_may_receive(1 << VIRTIO_NET_F_GUEST_TSO6), OFFLOAD_TSO6);
	assert_int_equal(offload_may_receive(1 << VIRTIO_NET_F_GUEST_ECN), OFFLOAD_ECN);
	assert_int_equal(offload_may_receive(1ULL << 54), OFFLOAD_USO4);
	assert_int_equal(offload_may_receive(1ULL << 55), OFFLOAD_USO6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_good),
			TEST(test_long_headers),
			TEST(test_truncated),
			TEST(test_header_wrong),
			TEST(test_gso_wrong),
			TEST(test_not_negotiated),
			TEST(test_packet_wrong),
			TEST(test_limits),
			TEST(test_features),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
