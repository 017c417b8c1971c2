/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Offload headers (virtio 1.2, 5.1.6.2) that do not fit their frames. See cases.h.
 *
 * Run with --offload: the switch has --tx-csum 1 --tso 1. Each frame goes to a guest that takes
 * offloads, to one that takes checksums alone, and to one that takes none. A frame that asks for
 * what it may not is dropped and counted; any other arrives, as it was sent or finished.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "cases.h"
#include "offload.h"
#include "raw.h"

/* A good packet, what is done to it, and what must happen to it. */
struct shape {
	struct parcel_spec spec;
	void (*bend)(struct parcel *p, unsigned value);
	unsigned from, to, step; /* values; step 0: none */
	enum drop_reason reason; /* DROP_NONE: it arrives */
};

static void
bend_start(struct parcel *p, unsigned value)
{
	p->vnet.csum_start = (uint16_t)value;
}

/* The sum is that of the bytes from there on, whatever they are. */
static void
bend_sum(struct parcel *p, unsigned value)
{
	p->vnet.csum_start = (uint16_t)value;
	p->l4 = value;
	p->headers = p->l4 + p->vnet.csum_offset + 2U;
}

/* The checksum's place is so far after its start. */
static void
bend_sum_far(struct parcel *p, unsigned value)
{
	p->vnet.csum_offset = (uint16_t)value;
	p->headers = p->l4 + value + 2U;
}

/* Just past the end of the frame, and at its last bytes. */
static void
bend_start_to_end(struct parcel *p, unsigned value)
{
	p->vnet.csum_start = (uint16_t)(p->len + value - 2);
}

static void
bend_start_by(struct parcel *p, unsigned value)
{
	p->vnet.csum_start = (uint16_t)(p->l4 + value - 4);
}

static void
bend_offset(struct parcel *p, unsigned value)
{
	p->vnet.csum_offset = (uint16_t)value;
}

static void
bend_offset_to_end(struct parcel *p, unsigned value)
{
	p->vnet.csum_offset = (uint16_t)(p->len - p->l4 + value - 2);
}

static void
bend_gso_size(struct parcel *p, unsigned value)
{
	p->vnet.gso_size = (uint16_t)value;
}

static void
bend_gso_type(struct parcel *p, unsigned value)
{
	p->vnet.gso_type = (uint8_t)value;
	p->vnet.gso_size = 100;
}

static void
bend_no_csum(struct parcel *p, unsigned value)
{
	(void)value;
	p->vnet.flags = 0;
}

static void
bend_hdr_len(struct parcel *p, unsigned value)
{
	p->vnet.hdr_len = (uint16_t)(value % 2 == 0 ? value : 65535 - value);
}

static void
bend_cut(struct parcel *p, unsigned value)
{
	p->len = value;
}

static void
bend_ihl(struct parcel *p, unsigned value)
{
	p->bytes[p->l3] = (uint8_t)(0x40 | value);
}

static void
bend_version(struct parcel *p, unsigned value)
{
	p->bytes[p->l3] = (uint8_t)(value << 4 | (p->bytes[p->l3] & 15));
}

static void
bend_data_offset(struct parcel *p, unsigned value)
{
	p->bytes[p->l4 + 12] = (uint8_t)(value << 4);
}

static void
bend_protocol(struct parcel *p, unsigned value)
{
	/* Neither of the two protocols that have checksums of this kind, nor an extension header. */
	static const uint8_t protocols[] = {1, 2, 4, 41, 44, 47, 50, 51, 58, 59, 89, 132, 136, 255};

	p->bytes[p->l3 + (p->bytes[p->l3] >> 4 == 6 ? 6 : 9)] = protocols[value];
}

static void
bend_fragment(struct parcel *p, unsigned value)
{
	static const uint16_t fields[] = {0x2000, 0x0001, 0x1fff, 0x3000};

	p->bytes[p->l3 + 6] = (uint8_t)(fields[value] >> 8);
	p->bytes[p->l3 + 7] = (uint8_t)fields[value];
}

static void
bend_ethertype(struct parcel *p, unsigned value)
{
	static const uint8_t types[][2] = {{8, 6}, {0x86, 0xdd}, {0x81, 0}, {0, 60}, {0x88, 0xb6}};

	memcpy(p->bytes + p->l3 - 2, types[value], 2);
}

/* Wrong lengths in the headers: they do not concern offloads, and segmentation corrects them. */
static void
bend_ip_length(struct parcel *p, unsigned value)
{
	memcpy(p->bytes + p->l3 + (p->bytes[p->l3] >> 4 == 6 ? 4 : 2),
			&(uint16_t){(uint16_t)(value * 16411)}, 2);
}

/* The length field of an extension header, by turns the first and the last of four, is so many units. */
static void
bend_extension(struct parcel *p, unsigned value)
{
	p->bytes[p->l3 + 40 + (value % 2 != 0 ? 0 : 24) + 1] = (uint8_t)value;
}

/* An extension header that is followed by its like again and again: the whole frame is a chain of them. */
static void
bend_endless(struct parcel *p, unsigned value)
{
	static const uint8_t types[] = {0, 43, 60};

	p->bytes[p->l3 + 6] = types[value];
	for (uint32_t at = p->l3 + 40; at + 8 <= p->len; at += 8) {
		p->bytes[at] = types[value];
		p->bytes[at + 1] = 0;
	}
}

static void
bend_tags(struct parcel *p, unsigned value)
{
	(void)value;
	/* A third tag, where the header says that IP begins. */
	memcpy(p->bytes + p->l3 - 2, (const uint8_t[]){0x81, 0}, 2);
}

/* One packet to each of the receivers. */
static bool
to_all(struct trio *t, struct parcel *p, const struct parcel_spec *spec, const struct shape *s,
		unsigned value)
{
	bool ok = true;

	for (unsigned i = 0; i < RECEIVERS && ok; i++) {
		parcel_make(p, spec, t->to[i]->mac, t->bad->mac, value + i);
		if (s->bend != NULL)
			s->bend(p, value);
		ok = trio_send(t, p, 1);
		if (ok && s->reason != DROP_NONE)
			expect_drops(t->bad, s->reason, 1);
		else if (ok)
			ok = trio_hears(t, i, p, false);
		if (!ok)
			remark("value %u, receiver %u", value, i);
	}
	return ok;
}

static void
run(struct hostile *h, const void *arg)
{
	static struct parcel p;
	const struct shape *s = arg;
	struct trio t;

	if (!trio_open(h, &t,
			    VU_F_CSUM | VU_F_HOST_TSO4 | VU_F_HOST_TSO6 | VU_F_HOST_ECN |
					    VU_F_HOST_USO))
		return;
	for (unsigned v = s->from; v <= s->to; v += s->step > 0 ? s->step : 1)
		if (!to_all(&t, &p, &s->spec, s, v))
			return;
	/* Good packets still arrive. */
	if (!to_all(&t, &p, &(const struct parcel_spec){.payload = 3000, .gso_size = 1000},
			    &(const struct shape){.reason = DROP_NONE}, 0))
		return;
	for (unsigned i = 0; i < RECEIVERS; i++)
		party_hears_nothing(t.to[i]);
}

/* A type is asked for that this guest did not negotiate. */
static void
run_not_negotiated(struct hostile *h, const void *arg)
{
	static struct parcel p;
	static const struct {
		uint64_t features;
		struct parcel_spec spec;
		uint8_t more;
	} asks[] = {
			{0, {.payload = 100}, 0},
			{VU_F_CSUM, {.payload = 3000, .gso_size = 1000}, 0},
			{VU_F_CSUM | VU_F_HOST_TSO4,
					{.ipv6 = true, .payload = 3000, .gso_size = 1000}, 0},
			{VU_F_CSUM | VU_F_HOST_TSO6, {.payload = 3000, .gso_size = 1000}, 0},
			{VU_F_CSUM | VU_F_HOST_TSO4, {.payload = 3000, .gso_size = 1000},
					VR_HDR_GSO_ECN},
			{VU_F_CSUM | VU_F_HOST_TSO4 | VU_F_HOST_TSO6,
					{.udp = true, .payload = 3000, .gso_size = 1000}, 0},
	};

	(void)arg;
	for (unsigned a = 0; a < sizeof(asks) / sizeof(asks[0]) && !h->failed; a++) {
		struct trio t;

		if (!trio_open(h, &t, asks[a].features))
			return;
		for (unsigned i = 0; i < RECEIVERS; i++) {
			parcel_make(&p, &asks[a].spec, t.to[i]->mac, t.bad->mac, i);
			p.vnet.gso_type |= asks[a].more;
			if (!trio_send(&t, &p, 1))
				return;
			/* It is too long for a frame that is not to be segmented. */
			expect_drops(t.bad,
					p.len > 1522 && !h->subject.mergeable &&
									(asks[a].features &
											(VU_F_HOST_TSO4 |
													VU_F_HOST_TSO6)) ==
											0
							? DROP_LONG
							: DROP_OFFLOAD,
					1);
		}
		for (unsigned i = 0; i < RECEIVERS; i++)
			party_hears_nothing(t.to[i]);
		trio_close(&t);
	}
}

/* 64 KiB in 1,024 pieces: the longest chain there may be. */
static void
run_pieces(struct hostile *h, const void *arg)
{
	static const struct parcel_spec specs[] = {
			{.payload = 65535 - 40, .gso_size = 1448},
			{.ipv6 = true, .payload = 65535 - 60, .gso_size = 1428},
			{.tags = 2, .payload = 65535 - 40, .gso_size = 1400},
			{.payload = 65535 - 40, .gso_size = 9000},
	};
	static struct parcel p;
	struct trio t;

	(void)arg;
	if (!trio_open(h, &t, VU_F_CSUM | VU_F_HOST_TSO4 | VU_F_HOST_TSO6))
		return;
	for (unsigned k = 0; k < 4 && !h->failed; k++) {
		/* Frames of more than 1500 bytes are refused, except with mergeable buffers. */
		bool fits = specs[k].gso_size < 1500;

		for (unsigned i = 0; i < RECEIVERS; i++) {
			parcel_make(&p, &specs[k], t.to[i]->mac, t.bad->mac, i + k);
			if (fits ? !trio_arrives(&t, i, &p, 1024) : !trio_send(&t, &p, 1024))
				return;
			if (!fits)
				expect_drops(t.bad, DROP_LONG, 1);
		}
	}
	/* One byte too much for an IP packet. */
	parcel_make(&p, &specs[0], t.to[0]->mac, t.bad->mac, 1);
	p.len += 1;
	p.bytes[p.len - 1] = 0;
	if (trio_send(&t, &p, 1))
		expect_drops(t.bad, DROP_LONG, 1);
	for (unsigned i = 0; i < RECEIVERS; i++)
		party_hears_nothing(t.to[i]);
}

#define CASE(name, says, ...) \
	{ \
		"offload-" name, says, run, &(const struct shape){__VA_ARGS__}, 0 \
	}
#define V4 \
	{ \
		.payload = 500 \
	}
#define V4_GSO \
	{ \
		.payload = 1200, .gso_size = 500 \
	}
#define TINY \
	{ \
		.payload = 40, .gso_size = 1 \
	}
#define MANY \
	{ \
		.payload = 1400, .gso_size = 1 \
	}
#define SHORT \
	{ \
		.payload = 10 \
	}
#define V6 \
	{ \
		.ipv6 = true, .payload = 500 \
	}
#define V6_GSO \
	{ \
		.ipv6 = true, .payload = 1200, .gso_size = 500 \
	}
#define V6_LONG \
	{ \
		.ipv6 = true, .extensions = 4, .payload = 500 \
	}
#define UDP4 \
	{ \
		.udp = true, .payload = 500 \
	}
#define USO4 \
	{ \
		.udp = true, .payload = 1200, .gso_size = 500 \
	}
#define USO6 \
	{ \
		.udp = true, .ipv6 = true, .payload = 1200, .gso_size = 500 \
	}
#define V6_LONG_GSO \
	{ \
		.ipv6 = true, .extensions = 4, .payload = 1200, .gso_size = 500 \
	}
#define SHORT_GSO \
	{ \
		.payload = 10, .gso_size = 5 \
	}
#define TAGGED \
	{ \
		.tags = 2, .payload = 500 \
	}
#define TAGGED_GSO \
	{ \
		.tags = 2, .payload = 1200, .gso_size = 500 \
	}

const struct hcase cases_offload[] = {
		CASE("good", "a checksum to do: arrives", V4, NULL, 0, 0, 0, DROP_NONE),
		CASE("good-gso", "a packet to cut: arrives", V4_GSO, NULL, 0, 0, 0, DROP_NONE),
		CASE("good-ipv6", "a packet of IPv6 to cut: arrives", V6_GSO, NULL, 0, 0, 0,
				DROP_NONE),
		CASE("good-extensions", "a packet with extension headers: arrives", V6_LONG, NULL,
				0, 0, 0, DROP_NONE),
		CASE("good-udp", "a datagram: arrives", UDP4, NULL, 0, 0, 0, DROP_NONE),
		CASE("good-uso", "a datagram to cut: arrives", USO4, NULL, 0, 0, 0, DROP_NONE),
		CASE("good-uso-ipv6", "a datagram of IPv6 to cut: arrives", USO6, NULL, 0, 0, 0,
				DROP_NONE),
		CASE("good-tags", "a packet with two tags: arrives", TAGGED, NULL, 0, 0, 0,
				DROP_NONE),
		CASE("start-ethernet", "csum_start in Ethernet's header: dropped", V4, bend_start,
				0, 13, 1, DROP_OFFLOAD),
		CASE("start-early", "to be cut, csum_start in headers before TCP's: dropped",
				V4_GSO, bend_start, 0, 33, 1, DROP_OFFLOAD),
		CASE("start-past", "csum_start past the frame: dropped", V4, bend_start, 1000,
				65535, 9219, DROP_OFFLOAD),
		CASE("start-end", "csum_start at the frame's last byte: dropped", V4,
				bend_start_to_end, 0, 3, 1, DROP_OFFLOAD),
		CASE("start-off", "to be cut, csum_start some bytes early: dropped", V6_GSO,
				bend_start_by, 0, 3, 1, DROP_OFFLOAD),
		CASE("start-udp", "to be cut, csum_start some bytes late: dropped", USO4,
				bend_start_by, 5, 8, 1, DROP_OFFLOAD),
		CASE("offset", "to be cut, csum_offset where no checksum is: dropped", V4_GSO,
				bend_offset, 0, 15, 1, DROP_OFFLOAD),
		CASE("offset-past", "csum_offset past the frame: dropped", V4, bend_offset, 600,
				65535, 6493, DROP_OFFLOAD),
		CASE("offset-end", "csum_offset at the frame's last byte: dropped", UDP4,
				bend_offset_to_end, 1, 3, 1, DROP_OFFLOAD),
		CASE("size-0", "gso_size 0: dropped", V4_GSO, bend_gso_size, 0, 0, 0, DROP_OFFLOAD),
		CASE("size-1", "gso_size 1, of 40 bytes: arrives", TINY, NULL, 0, 0, 0, DROP_NONE),
		CASE("size-tiny", "gso_size 1, of 1400 bytes: dropped", MANY, NULL, 0, 0, 0,
				DROP_OFFLOAD),
		CASE("size-65535", "gso_size 65535: arrives", V4_GSO, bend_gso_size, 65535, 65535,
				1, DROP_NONE),
		CASE("type-unknown", "gso types that there are not: dropped", V4, bend_gso_type, 6,
				127, 11, DROP_OFFLOAD),
		CASE("type-ufo", "gso types 2 and 3: dropped", UDP4, bend_gso_type, 2, 3, 1,
				DROP_OFFLOAD),
		CASE("type-ecn", "ECN with no type: dropped", V4, bend_gso_type, 128, 128, 1,
				DROP_OFFLOAD),
		CASE("type-6-of-4", "type TCPv6, packet of IPv4: dropped", V4_GSO, bend_gso_type, 4,
				4, 1, DROP_OFFLOAD),
		CASE("type-4-of-6", "type TCPv4, packet of IPv6: dropped", V6_GSO, bend_gso_type, 1,
				1, 1, DROP_OFFLOAD),
		CASE("type-tcp-of-udp", "type TCPv4, a datagram: dropped", UDP4, bend_gso_type, 1,
				1, 1, DROP_OFFLOAD),
		CASE("type-udp-of-tcp", "type UDP, a packet of TCP: dropped", V4_GSO, bend_gso_type,
				5, 5, 1, DROP_OFFLOAD),
		CASE("no-csum", "to be cut, and no checksum: dropped", V4_GSO, bend_no_csum, 0, 0,
				0, DROP_OFFLOAD),
		CASE("hdr-len", "hdr_len of any value: arrives", V4_GSO, bend_hdr_len, 0, 9, 1,
				DROP_NONE),
		CASE("cut", "cut off before its checksum's end: dropped", V4, bend_cut, 15, 51, 1,
				DROP_OFFLOAD),
		CASE("cut-ipv6", "cut off within headers of IPv6: dropped", V6_LONG, bend_cut, 15,
				102, 3, DROP_OFFLOAD),
		CASE("cut-tags", "cut off within its tags: dropped", TAGGED, bend_cut, 15, 59, 2,
				DROP_OFFLOAD),
		CASE("ihl", "an IHL of 0 to 4: dropped", V4_GSO, bend_ihl, 0, 4, 1, DROP_OFFLOAD),
		CASE("ihl-off", "an IHL of 6 to 15, past what it is: dropped", V4_GSO, bend_ihl, 6,
				15, 1, DROP_OFFLOAD),
		CASE("version", "a version of IP that there is not: dropped", V4_GSO, bend_version,
				5, 15, 1, DROP_OFFLOAD),
		CASE("data-offset", "a data offset of 0 to 4: dropped", V4_GSO, bend_data_offset, 0,
				4, 1, DROP_OFFLOAD),
		CASE("data-offset-past", "a data offset past the frame: dropped", SHORT_GSO,
				bend_data_offset, 8, 15, 1, DROP_OFFLOAD),
		CASE("protocol", "protocols that can't be cut: dropped", V4_GSO, bend_protocol, 0,
				13, 1, DROP_OFFLOAD),
		CASE("next-header", "the same in IPv6: dropped", V6_GSO, bend_protocol, 0, 13, 1,
				DROP_OFFLOAD),
		CASE("fragment", "a fragment to be cut: dropped", V4_GSO, bend_fragment, 0, 3, 1,
				DROP_OFFLOAD),
		CASE("ethertype", "another EtherType than it is: dropped", V4_GSO, bend_ethertype,
				0, 4, 1, DROP_OFFLOAD),
		CASE("three-tags", "a tag too many: dropped", TAGGED_GSO, bend_tags, 0, 0, 0,
				DROP_OFFLOAD),
		CASE("extension-past", "extension headers that say too much: dropped", V6_LONG_GSO,
				bend_extension, 2, 255, 23, DROP_OFFLOAD),
		CASE("extension-endless", "nothing but extension headers: dropped", V6_LONG_GSO,
				bend_endless, 0, 2, 1, DROP_OFFLOAD),
		CASE("sum-protocol", "a checksum of any protocol of IP's: arrives", V4,
				bend_protocol, 0, 13, 1, DROP_NONE),
		CASE("sum-next-header", "the same in IPv6: arrives", V6, bend_protocol, 0, 13, 1,
				DROP_NONE),
		CASE("sum-fragment", "a checksum in a fragment: arrives", V4, bend_fragment, 0, 3,
				1, DROP_NONE),
		CASE("sum-ethertype", "a checksum of any protocol: arrives", V4, bend_ethertype, 0,
				4, 1, DROP_NONE),
		CASE("sum-three-tags", "a checksum after three tags: arrives", TAGGED, bend_tags, 0,
				0, 0, DROP_NONE),
		CASE("sum-early", "a checksum that begins within IP's header: arrives", V4,
				bend_sum, 14, 33, 1, DROP_NONE),
		CASE("sum-far", "a checksum far after the headers: arrives", V4, bend_sum_far, 210,
				430, 20, DROP_NONE),
		CASE("sum-far-odd", "the same at odd places: arrives", V4, bend_sum_far, 211, 431,
				20, DROP_NONE),
		CASE("length-lies", "IP lengths that are none, a checksum to do: arrives", V4,
				bend_ip_length, 0, 9, 1, DROP_NONE),
		CASE("length-lies-gso", "the same, to be cut: arrives", V4_GSO, bend_ip_length, 0,
				9, 1, DROP_NONE),
		CASE("length-lies-ipv6", "the same with IPv6: arrives", V6_GSO, bend_ip_length, 0,
				9, 1, DROP_NONE),
		{"offload-not-negotiated", "what this guest did not negotiate: dropped",
				run_not_negotiated},
		{"offload-pieces", "64 KiB in 1,024 pieces: arrives", run_pieces},
		{.name = NULL},
};
