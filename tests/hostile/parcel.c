/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Parcels, and what becomes of them. See parcel.h. */
#include "parcel.h"

#include <string.h>

#include "inet.h"

#define TCP_HEADER 20
#define UDP_HEADER 8
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_OPTIONS 60 /* IPv6 destination options */

static uint8_t *
make_ip(struct parcel *p, const struct parcel_spec *s, uint32_t l4_len)
{
	uint8_t *ip = p->bytes + p->l3, protocol = s->udp ? PROTO_UDP : PROTO_TCP;

	if (!s->ipv6) {
		memcpy(ip,
				(const uint8_t[]){0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol,
						0, 0, 10, 1, 2, 3, 10, 4, 5, 6},
				20);
		put16(ip + 2, 20 + l4_len);
		put16(ip + 10, ~inet_sum(0, ip, 20));
		return ip + 20;
	}
	memset(ip, 0x26, 40);
	memcpy(ip, (const uint8_t[]){0x60, 0, 0, 0, 0, 0, protocol, 64}, 8);
	put16(ip + 4, 8 * s->extensions + l4_len);
	if (s->extensions > 0)
		ip[6] = PROTO_OPTIONS;
	for (unsigned i = 0; i < s->extensions; i++)
		memcpy(ip + 40 + 8 * i,
				(const uint8_t[]){i + 1 < s->extensions ? PROTO_OPTIONS : protocol,
						0, 1, 4, 0, 0, 0, 0},
				8);
	return ip + 40 + 8 * s->extensions;
}

void
parcel_make(struct parcel *p, const struct parcel_spec *s, const uint8_t *dst, const uint8_t *src,
		uint32_t seed)
{
	uint32_t l4_len = (s->udp ? UDP_HEADER : TCP_HEADER) + s->payload;
	uint8_t *at = p->bytes + 12, *l4, ends[4] = {0, s->udp ? PROTO_UDP : PROTO_TCP};

	memcpy(p->bytes, dst, 6);
	memcpy(p->bytes + 6, src, 6);
	for (unsigned i = 0; i < s->tags; i++, at += 4)
		memcpy(at,
				(const uint8_t[]){i + 1 < s->tags ? 0x88 : 0x81,
						i + 1 < s->tags ? 0xa8 : 0, 0, 7},
				4);
	put16(at, s->ipv6 ? 0x86dd : 0x0800);
	p->l3 = (uint32_t)(at + 2 - p->bytes);
	l4 = make_ip(p, s, l4_len);
	p->l4 = (uint32_t)(l4 - p->bytes);
	p->headers = p->l4 + l4_len - s->payload;
	p->len = p->l4 + l4_len;
	memset(l4, 0, p->headers - p->l4);
	put16(l4, seed);
	put16(l4 + 2, 7777);
	if (s->udp)
		put16(l4 + 4, l4_len);
	else
		memcpy(l4 + 4,
				(const uint8_t[]){0xff, 0xff, (uint8_t)(seed >> 8), (uint8_t)seed,
						1, 2, 3, 4, 0x50, 0x18, 0x10, 0},
				12);
	for (uint32_t i = 0; i < s->payload; i++)
		p->bytes[p->headers + i] = (uint8_t)((i * 7 + seed) ^ (i >> 8));
	p->vnet = (struct vr_net_hdr){.flags = VR_HDR_NEEDS_CSUM,
			.csum_start = (uint16_t)p->l4,
			.csum_offset = s->udp ? 6 : 16,
			.hdr_len = (uint16_t)p->headers};
	put16(ends + 2, l4_len);
	put16(l4 + p->vnet.csum_offset,
			inet_sum(inet_sum(0, p->bytes + p->l3 + (s->ipv6 ? 8 : 12),
						 s->ipv6 ? 32 : 8),
					ends, 4));
	if (s->gso_size != 0) {
		p->vnet.gso_size = s->gso_size;
		p->vnet.gso_type = s->udp ? VR_HDR_GSO_UDP_L4
				: s->ipv6 ? VR_HDR_GSO_TCPV6
					  : VR_HDR_GSO_TCPV4;
	}
}

/* The features that take a header as it is. */
static uint64_t
needed(const struct vr_net_hdr *vnet, bool ipv6)
{
	uint64_t need = (vnet->flags & VR_HDR_NEEDS_CSUM) != 0 ? VU_F_GUEST_CSUM : 0;

	if ((vnet->gso_type & VR_HDR_GSO_ECN) != 0)
		need |= VU_F_GUEST_ECN;
	switch (vnet->gso_type & ~VR_HDR_GSO_ECN) {
	case VR_HDR_GSO_NONE:
		return need;
	case VR_HDR_GSO_TCPV4:
		return need | VU_F_GUEST_TSO4;
	case VR_HDR_GSO_TCPV6:
		return need | VU_F_GUEST_TSO6;
	case VR_HDR_GSO_UDP_L4:
		return need | (ipv6 ? VU_F_GUEST_USO6 : VU_F_GUEST_USO4);
	default:
		return UINT64_MAX;
	}
}

const char *
parcel_unsound(uint64_t takes, const struct vr_net_hdr *vnet, uint32_t len)
{
	uint64_t four = needed(vnet, false), six = needed(vnet, true);

	if ((takes & four) != four && (takes & six) != six)
		return "an offload that the receiver does not take";
	if (vnet->gso_type != 0 && (vnet->flags & VR_HDR_NEEDS_CSUM) == 0)
		return "to be cut, and no checksum to be done";
	if (vnet->gso_type != 0 && vnet->gso_size == 0)
		return "to be cut into nothing";
	if ((vnet->flags & VR_HDR_NEEDS_CSUM) != 0 &&
			((uint32_t)vnet->csum_start + vnet->csum_offset + 2 > len ||
					vnet->csum_start < 14))
		return "a checksum outside of the packet";
	if (vnet->hdr_len > len)
		return "headers longer than the frame";
	return NULL;
}

/* It arrived unchanged: the same bytes, and a header that says the same about them. */
static const char *
changed(const struct parcel *p, const struct vr_net_hdr *vnet, const uint8_t *frame, uint32_t len)
{
	if (len != p->len || memcmp(frame, p->bytes, len) != 0)
		return "another frame than was sent";
	if (!parcel_asks(p))
		return (vnet->flags & VR_HDR_NEEDS_CSUM) != 0 || vnet->gso_type != 0
				? "an offload that nobody asked for"
				: NULL;
	if (vnet->csum_start != p->vnet.csum_start || vnet->csum_offset != p->vnet.csum_offset ||
			vnet->gso_type != p->vnet.gso_type ||
			(p->vnet.gso_type != 0 && vnet->gso_size != p->vnet.gso_size))
		return "another offload than was asked for";
	return NULL;
}

/* Checks the TCP or UDP header of a frame that is one of several segments. */
static const char *
wrong_part(const struct parcel *p, const uint8_t *frame, uint32_t len, uint32_t at)
{
	const uint8_t *was = p->bytes + p->l4, *is = frame + p->l4;
	bool ipv6 = (frame[p->l3] >> 4) == 6, udp = p->vnet.csum_offset == 6;
	uint32_t said = get16(frame + p->l3 + (ipv6 ? 4 : 2)) + (ipv6 ? 40 : 0);

	if (said != len - p->l3)
		return "an IP length that is not the frame's";
	if (!ipv6 && inet_sum(0, frame + p->l3, p->l4 - p->l3) != 0xffff)
		return "a wrong checksum of the IP header";
	if (udp && get16(is + 4) != len - p->l4)
		return "a UDP length that is not the frame's";
	if (!udp && get32(is + 4) != (uint32_t)(get32(was + 4) + at))
		return "a wrong sequence number";
	return NULL;
}

const char *
parcel_wrong(const struct parcel *p, uint64_t takes, const struct vr_net_hdr *vnet,
		const uint8_t *frame, uint32_t len, uint32_t at, uint32_t *got)
{
	bool ipv6 = (p->bytes[p->l3] >> 4) == 6, cut = p->vnet.gso_type != 0;
	uint64_t need = needed(&p->vnet, ipv6);
	uint32_t field = p->l4 + p->vnet.csum_offset, begin, is;
	const char *wrong = parcel_unsound(takes, vnet, len);
	static uint8_t copy[PARCEL_MAX];

	*got = len > p->headers ? len - p->headers : 0;
	if (wrong != NULL)
		return wrong;
	if ((takes & need) == need || !parcel_asks(p)) {
		*got = p->len - p->headers;
		return changed(p, vnet, frame, len);
	}
	if (len < p->headers || *got > p->len - p->headers - at)
		return "a frame of another length";
	if (memcmp(frame + p->headers, p->bytes + p->headers + at, *got) != 0)
		return "payload that was not sent";
	if (cut && (vnet->gso_type != 0 || *got > p->vnet.gso_size))
		return "a frame that is longer than those to be cut";
	wrong = cut ? wrong_part(p, frame, len, at) : NULL;
	if (wrong != NULL)
		return wrong;
	/* The sender had put the sum of the pseudo header there, with the length of the whole packet. */
	begin = get16(p->bytes + field);
	if ((p->vnet.csum_offset & 1) != 0) /* at an odd offset its bytes belong to two numbers */
		begin = (begin & 0xff) << 8 | begin >> 8;
	if (cut)
		begin += (0xffff - ((p->len - p->l4) & 0xffff)) + len - p->l4;
	memcpy(copy, frame, len);
	put16(copy + field, 0);
	is = get16(frame + field);
	if ((vnet->flags & VR_HDR_NEEDS_CSUM) != 0)
		return is % 0xffff ==
						inet_sum(0,
								(const uint8_t[]){
										(uint8_t)(begin >>
												24),
										(uint8_t)(begin >>
												16),
										(uint8_t)(begin >>
												8),
										(uint8_t)begin},
								4) %
								0xffff
				? NULL
				: "a wrong sum of the pseudo header";
	if ((inet_sum(begin, copy + p->l4, len - p->l4) + is) % 0xffff != 0)
		return "a wrong checksum";
	return p->vnet.csum_offset == 6 && is == 0 ? "a UDP datagram without checksum" : NULL;
}
