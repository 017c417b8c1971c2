/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Packets and what becomes of them: see packet.h. Written byte by byte, after the RFCs. */
#include "packet.h"
#include "tests/driver/inet.h"

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

/* The pseudo header of a frame: addresses, protocol, `len` bytes of TCP or UDP. */
static uint32_t
pseudo(const struct packet *p, const struct packet_spec *s, const uint8_t *frame, uint32_t len)
{
	uint8_t tail[4];
	uint32_t sofar = s->ipv6 ? inet_sum(0, frame + p->l3 + 8, 32)
				 : inet_sum(0, frame + p->l3 + 12, 8);

	put32(tail, (len & 0xffff) + ((s->udp ? 17 : 6) << 16));
	return inet_sum(sofar, tail, sizeof(tail));
}

static uint32_t
make_ip(uint8_t *at, const struct packet_spec *s, uint32_t l4_len, uint64_t *random)
{
	uint8_t protocol = s->udp ? 17 : 6, *next;
	uint32_t header = (s->ipv6 ? 40 : 20) + s->ip_options, i;

	memset(at, 0, header);
	if (!s->ipv6) {
		at[0] = 0x40 | header / 4;
		put16(at + 2, header + l4_len);
		put16(at + 4, unit_random(random)); /* identification */
		put16(at + 6, 0x4000);
		at[8] = 64;
		at[9] = protocol;
		put32(at + 12, unit_random(random));
		put32(at + 16, unit_random(random));
		memset(at + 20, 1, s->ip_options); /* no operation */
		put16(at + 10, ~inet_sum(0, at, header));
		return header;
	}
	put32(at, 0x60012345);
	put16(at + 4, s->ip_options + l4_len);
	at[7] = 64;
	for (i = 8; i < 40; i++)
		at[i] = unit_random(random);
	/* One destination options header of 8 bytes, then a hop-by-hop one with the rest. */
	next = at + 6;
	*next = protocol;
	if (s->ip_options != 0) {
		*next = 60;
		next = at + 40;
		*next = protocol;
	}
	if (s->ip_options > 8) {
		*next = 0;
		next = at + 48;
		next[0] = protocol;
		next[1] = s->ip_options / 8 - 2;
	}
	return header;
}

static uint32_t
make_l4(uint8_t *at, const struct packet_spec *s, uint64_t *random)
{
	uint32_t header = s->udp ? 8 : 20 + s->tcp_options;

	memset(at, 0, header);
	put16(at, unit_random(random));
	put16(at + 2, unit_random(random));
	if (s->udp) {
		put16(at + 4, header + s->payload);
		return header;
	}
	put32(at + 4, unit_random(random));
	put32(at + 8, unit_random(random));
	at[12] = header / 4 << 4;
	at[13] = s->tcp_flags;
	put16(at + 14, 1000);
	memset(at + 20, 1, s->tcp_options);
	return header;
}

void
packet_make(struct packet *p, const struct packet_spec *s)
{
	uint32_t l4_len = (s->udp ? 8 : 20 + s->tcp_options) + s->payload, at = 12, i;
	uint64_t random = s->seed;

	for (i = 0; i < at; i++)
		p->bytes[i] = unit_random(&random);
	p->bytes[0] &= 0xfe;
	p->bytes[6] &= 0xfe;
	for (i = 0; i < s->tags; i++, at += 4) {
		put16(p->bytes + at, i + 1 < s->tags ? 0x88a8 : 0x8100);
		put16(p->bytes + at + 2, unit_random(&random));
	}
	put16(p->bytes + at, s->ipv6 ? 0x86dd : 0x0800);
	p->l3 = at + 2;
	p->l4 = p->l3 + make_ip(p->bytes + p->l3, s, l4_len, &random);
	p->headers = p->l4 + make_l4(p->bytes + p->l4, s, &random);
	p->len = p->headers + s->payload;
	for (i = p->headers; i < p->len; i++)
		p->bytes[i] = unit_random(&random);
	p->vnet = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = p->l4,
			.csum_offset = s->udp ? 6 : 16,
			.hdr_len = p->headers,
	};
	put16(p->bytes + p->l4 + p->vnet.csum_offset, pseudo(p, s, p->bytes, l4_len));
	if (s->gso_size != 0) {
		p->vnet.gso_size = s->gso_size;
		p->vnet.gso_type = s->udp ? 5 : s->ipv6 ? 4 : 1;
	}
}

static void
expect_ip(const struct packet *p, const struct packet_spec *s, const uint8_t *frame, uint32_t len,
		unsigned int i)
{
	const uint8_t *was = p->bytes + p->l3, *is = frame + p->l3;

	if (s->ipv6) {
		assert_memory_equal(is, was, 4);
		assert_int_equal(get16(is + 4), len - p->l3 - 40);
		assert_memory_equal(is + 6, was + 6, p->l4 - p->l3 - 6);
		return;
	}
	assert_memory_equal(is, was, 2);
	assert_int_equal(get16(is + 2), len - p->l3);
	assert_int_equal(get16(is + 4), (get16(was + 4) + i) & 0xffff);
	assert_memory_equal(is + 6, was + 6, 4);
	assert_memory_equal(is + 12, was + 12, p->l4 - p->l3 - 12);
	assert_int_equal(inet_sum(0, is, p->l4 - p->l3), 0xffff);
}

static void
expect_l4(const struct packet *p, const struct packet_spec *s, const uint8_t *frame, uint32_t len,
		unsigned int i, uint32_t at)
{
	const uint8_t *was = p->bytes + p->l4, *is = frame + p->l4;
	bool last = at + (len - p->headers) == s->payload;
	uint8_t flags = s->tcp_flags;

	assert_memory_equal(is, was, 4); /* ports */
	if (s->udp) {
		assert_int_equal(get16(is + 4), len - p->l4);
		return;
	}
	assert_int_equal(get32(is + 4), (get32(was + 4) + at) & UINT32_MAX);
	assert_memory_equal(is + 8, was + 8, 5);
	if (!last)
		flags &= ~(TCP_FIN | TCP_PSH);
	if (i > 0)
		flags &= ~TCP_CWR;
	assert_int_equal(is[13], flags);
	assert_memory_equal(is + 14, was + 14, 2);
	assert_memory_equal(is + 18, was + 18, p->headers - p->l4 - 18);
}

uint32_t
packet_expect(const struct packet *p, const struct packet_spec *s, const uint8_t *frame,
		uint32_t len, unsigned int i, uint32_t at, bool partial)
{
	uint32_t l4_len = len - p->l4, begin, field;

	assert_in_range(len, p->headers, p->len);
	assert_true(at + len - p->headers <= s->payload);
	assert_memory_equal(frame, p->bytes, p->l3);
	expect_ip(p, s, frame, len, i);
	expect_l4(p, s, frame, len, i, at);
	assert_memory_equal(frame + p->headers, p->bytes + p->headers + at, len - p->headers);
	begin = pseudo(p, s, frame, l4_len);
	field = get16(frame + p->l4 + p->vnet.csum_offset);
	if (partial) {
		/* 0 and 0xffff are the same number in this arithmetic. */
		assert_int_equal(field % 0xffff, begin % 0xffff);
	} else {
		assert_int_equal(inet_sum(begin, frame + p->l4, l4_len), 0xffff);
		assert_true(!s->udp || field != 0);
	}
	return len - p->headers;
}
