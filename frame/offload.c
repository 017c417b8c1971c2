/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Checks the offloads that a guest asks for: see offload.h for the contract. */
#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "frame/copy.h"
#include "frame/offload.h"

/* IPv6 extension headers (RFC 8200 section 4): all say their length in units of 8 bytes. */
#define EXTENSION_UNIT 8
#define EXTENSION_MIN 8

/* Any of these bits says that an IPv4 datagram is a fragment. */
#define OFFLOAD_FRAGMENT RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)

/*
 * Bytes of a long frame that are copied first: two tags, IPv6, and TCP with all of its options have
 * 122. Copying HEADERS_MAX bytes took 3 cycles more.
 */
#define OFFLOAD_FIRST 128

/* Where IP and TCP begin in most frames. */
#define USUAL_L3 ((uint32_t)sizeof(struct rte_ether_hdr))
#define USUAL_L4 (USUAL_L3 + (uint32_t)sizeof(struct rte_ipv4_hdr))

const uint64_t offload_csum_features = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM;
const uint64_t offload_tso_features = 1ULL << VIRTIO_NET_F_HOST_TSO4 |
		1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN |
		1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 |
		1ULL << VIRTIO_NET_F_GUEST_ECN;
const uint64_t offload_uso_features = 1ULL << OFFLOAD_F_HOST_USO | 1ULL << OFFLOAD_F_GUEST_USO4 |
		1ULL << OFFLOAD_F_GUEST_USO6;
const uint64_t offload_host_features = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
		1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN |
		1ULL << OFFLOAD_F_HOST_USO;

/* Returns the bits of the set if the driver has the feature, else 0. */
static uint8_t
offload_with(uint64_t features, unsigned int bit, uint8_t offloads)
{
	return features >> bit & 1 ? offloads : 0;
}

uint8_t
offload_may_send(uint64_t features)
{
	return offload_with(features, VIRTIO_NET_F_CSUM, OFFLOAD_CSUM) |
			offload_with(features, VIRTIO_NET_F_HOST_TSO4, OFFLOAD_TSO4) |
			offload_with(features, VIRTIO_NET_F_HOST_TSO6, OFFLOAD_TSO6) |
			offload_with(features, VIRTIO_NET_F_HOST_ECN, OFFLOAD_ECN) |
			offload_with(features, OFFLOAD_F_HOST_USO, OFFLOAD_USO4 | OFFLOAD_USO6);
}

uint8_t
offload_may_receive(uint64_t features)
{
	return offload_with(features, VIRTIO_NET_F_GUEST_CSUM, OFFLOAD_CSUM) |
			offload_with(features, VIRTIO_NET_F_GUEST_TSO4, OFFLOAD_TSO4) |
			offload_with(features, VIRTIO_NET_F_GUEST_TSO6, OFFLOAD_TSO6) |
			offload_with(features, VIRTIO_NET_F_GUEST_ECN, OFFLOAD_ECN) |
			offload_with(features, OFFLOAD_F_GUEST_USO4, OFFLOAD_USO4) |
			offload_with(features, OFFLOAD_F_GUEST_USO6, OFFLOAD_USO6);
}

static rte_be16_t
offload_be16_at(const struct headers *h, uint32_t at)
{
	rte_be16_t value;

	memcpy(&value, h->bytes + at, sizeof(value));
	return value;
}

/*
 * The next functions parse one header each, of `n` bytes. They return false (offload_parse_ethernet(): 0)
 * if the header is not there.
 */

/*
 * Parses the Ethernet header and VLAN tags: sets h->l3. Returns the type of the next header, or 0.
 */
static rte_be16_t
offload_parse_ethernet(struct headers *h, uint32_t n)
{
	rte_be16_t type = offload_be16_at(h, offsetof(struct rte_ether_hdr, ether_type));
	unsigned int tags;

	h->l3 = sizeof(struct rte_ether_hdr);
	for (tags = 0; ether_is_tag(type); tags++) {
		if (tags == FRAME_TAGS_MAX || h->l3 + sizeof(struct rte_vlan_hdr) > n)
			return 0;
		type = offload_be16_at(h, h->l3 + offsetof(struct rte_vlan_hdr, eth_proto));
		h->l3 += sizeof(struct rte_vlan_hdr);
	}
	return type;
}

/* Parses the IPv4 header: sets h->l4 and *protocol. Returns false also for an IP fragment. */
static bool
offload_parse_ipv4(struct headers *h, uint32_t n, uint8_t *protocol)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(h->bytes + h->l3);
	uint32_t len;

	if (h->l3 + sizeof(*ip) > n || ip->version_ihl >> 4 != 4)
		return false;
	len = (ip->version_ihl & 0xf) * 4;
	if (len < sizeof(*ip) || h->l3 + len > n || (ip->fragment_offset & OFFLOAD_FRAGMENT) != 0)
		return false;
	h->ipv6 = h->extended = false;
	h->l4 = h->l3 + len;
	*protocol = ip->next_proto_id;
	return true;
}

/* Parses the IPv6 header and those extension headers that may come before TCP or UDP. */
static bool
offload_parse_ipv6(struct headers *h, uint32_t n, uint8_t *protocol)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)(h->bytes + h->l3);
	uint32_t at = h->l3 + sizeof(*ip);

	if (at > n || h->bytes[h->l3] >> 4 != 6)
		return false;
	h->ipv6 = true;
	h->extended = false;
	*protocol = ip->proto;
	while (*protocol == IPPROTO_HOPOPTS || *protocol == IPPROTO_ROUTING ||
			*protocol == IPPROTO_DSTOPTS) {
		if (at + EXTENSION_MIN > n)
			return false;
		*protocol = h->bytes[at];
		at += (h->bytes[at + 1] + 1) * EXTENSION_UNIT;
		h->extended = true;
	}
	h->l4 = at; /* perhaps past the end: the next step checks that */
	return at <= n;
}

/* Parses the TCP or UDP header: sets h->tcp and h->len. */
static bool
offload_parse_l4(struct headers *h, uint32_t n, uint8_t protocol)
{
	uint32_t least, len;

	h->tcp = protocol == IPPROTO_TCP;
	if (!h->tcp && protocol != IPPROTO_UDP)
		return false;
	least = h->tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);
	if (h->l4 + least > n)
		return false;
	len = h->tcp ? (h->bytes[h->l4 + offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4 : least;
	if (len < least || h->l4 + len > n)
		return false;
	h->len = h->l4 + len;
	return true;
}

static bool
offload_parse(struct headers *h, uint32_t n)
{
	uint8_t protocol;

	switch (offload_parse_ethernet(h, n)) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		return offload_parse_ipv4(h, n, &protocol) && offload_parse_l4(h, n, protocol);
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		return offload_parse_ipv6(h, n, &protocol) && offload_parse_l4(h, n, protocol);
	default:
		return false;
	}
}

/* Returns the offset of the checksum in the header of TCP or UDP. */
static uint16_t
offload_csum_offset(const struct headers *h)
{
	return h->tcp ? offsetof(struct rte_tcp_hdr, cksum)
		      : offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* Returns the offload that a gso_type asks for, or 0 if it does not fit the headers. */
static uint8_t
offload_asked_for(uint8_t gso_type, const struct headers *h)
{
	uint8_t ecn = gso_type & VIRTIO_NET_HDR_GSO_ECN ? OFFLOAD_ECN : 0;

	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return h->tcp && !h->ipv6 ? OFFLOAD_TSO4 | ecn : 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return h->tcp && h->ipv6 ? OFFLOAD_TSO6 | ecn : 0;
	case OFFLOAD_GSO_UDP_L4:
		if (h->tcp || ecn)
			return 0;
		return h->ipv6 ? OFFLOAD_USO6 : OFFLOAD_USO4;
	default:
		return 0;
	}
}

/* Checks a frame that is to be cut. */
static enum drop_reason
offload_check_gso(struct frame *f, const struct virtio_net_hdr *asked, uint8_t may,
		uint32_t frame_max)
{
	uint8_t offload = offload_asked_for(asked->gso_type, f->headers);
	uint32_t payload = f->len - f->headers->len;

	if (offload == 0 || (offload & ~may) != 0 || asked->gso_size == 0)
		return DROP_OFFLOAD;
	f->offload |= offload;
	f->vnet.gso_type = asked->gso_type;
	f->vnet.gso_size = asked->gso_size;
	f->vnet.hdr_len = f->headers->len;
	if (offload_frames(f) > OFFLOAD_SEGMENTS_MAX)
		return DROP_OFFLOAD;
	if (f->len - f->headers->l3 > UINT16_MAX ||
			f->headers->len + RTE_MIN(payload, asked->gso_size) > frame_max)
		return DROP_LONG;
	return DROP_NONE;
}

/*
 * The usual case of offload_is_known(), with the same result in fewer steps: TCP over IPv4, without tags and
 * without options of IPv4.
 */
static inline bool
offload_is_usual(struct headers *h, uint32_t n, const struct virtio_net_hdr *asked)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(h->bytes + USUAL_L3);
	uint32_t len;

	if (unlikely(n < USUAL_L4 + sizeof(struct rte_tcp_hdr) ||
			    offload_be16_at(h, offsetof(struct rte_ether_hdr, ether_type)) !=
					    RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
			    ip->version_ihl != RTE_IPV4_VHL_DEF ||
			    ip->next_proto_id != IPPROTO_TCP ||
			    (ip->fragment_offset & OFFLOAD_FRAGMENT) != 0))
		return false;
	len = (h->bytes[USUAL_L4 + offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4;
	if (unlikely(len < sizeof(struct rte_tcp_hdr) || USUAL_L4 + len > n ||
			    asked->csum_start != USUAL_L4 ||
			    asked->csum_offset != offsetof(struct rte_tcp_hdr, cksum)))
		return false;
	h->l3 = USUAL_L3;
	h->l4 = USUAL_L4;
	h->len = USUAL_L4 + len;
	h->ipv6 = h->extended = false;
	h->tcp = true;
	return true;
}

/* Returns true if the headers are those of TCP or UDP whose checksum is the one asked for. */
static bool
offload_is_known(struct headers *h, uint32_t n, const struct virtio_net_hdr *asked)
{
	if (likely(offload_is_usual(h, n, asked)))
		return true;
	return offload_parse(h, n) && asked->csum_start == h->l4 &&
			asked->csum_offset == offload_csum_offset(h);
}

/*
 * Checks the checksum of any other protocol (virtio 1.2 section 5.1.6.2): HSR, PPPoE, MPLS, a
 * tunnel, a fragment. Only its position is known. Returns false if the checksum, or the beginning
 * of its sum, is not in the frame of `len` bytes, after the Ethernet header.
 */
static bool
offload_is_generic(struct headers *h, uint32_t len, const struct virtio_net_hdr *asked)
{
	uint32_t end = (uint32_t)asked->csum_start + asked->csum_offset + sizeof(rte_be16_t);

	if (asked->gso_type != VIRTIO_NET_HDR_GSO_NONE ||
			asked->csum_start < sizeof(struct rte_ether_hdr) || end > len)
		return false;
	h->generic = true;
	h->l3 = sizeof(struct rte_ether_hdr);
	h->l4 = asked->csum_start;
	h->len = end <= HEADERS_MAX ? end : sizeof(struct rte_ether_hdr);
	h->ipv6 = h->extended = false;
	h->tcp = asked->csum_offset != offsetof(struct rte_udp_hdr, dgram_cksum);
	return true;
}

/* Copies the first n bytes of a frame, which are its headers. */
static inline void
offload_hold(struct frame *f, struct headers *h, uint32_t n)
{
	if (unlikely(n > f->frag->len))
		frame_peek(f, h->bytes, n);
	else if (n == OFFLOAD_FIRST)
		memcpy(h->bytes, f->frag->base, OFFLOAD_FIRST);
	else
		copy_bytes(h->bytes, f->frag->base, n);
	/* The code after this reads the copy, and never again the guest's memory. */
	rte_compiler_barrier();
	memcpy(&f->eth, h->bytes, sizeof(f->eth));
	h->held = n;
}

/*
 * Copies and parses the headers of a frame. A frame that fits into the copy is held as a whole; of a longer
 * one so many bytes as nearly always do, or else all that there is room for.
 */
static inline bool
offload_find(struct frame *f, const struct virtio_net_hdr *asked, struct headers *h)
{
	uint32_t n = f->len <= HEADERS_MAX ? f->len : OFFLOAD_FIRST;

	RTE_BUILD_BUG_ON(OFFLOAD_FIRST >= HEADERS_MAX);
	offload_hold(f, h, n);
	h->generic = false;
	if (likely(offload_is_known(h, n, asked)))
		return true;
	if (n < f->len) {
		offload_hold(f, h, HEADERS_MAX);
		if (offload_is_known(h, HEADERS_MAX, asked))
			return true;
	}
	return offload_is_generic(h, f->len, asked);
}

enum drop_reason
offload_check(struct frame *f, const struct virtio_net_hdr *asked, struct headers *h, uint8_t may,
		uint32_t frame_max)
{
	if (!(may & OFFLOAD_CSUM) || !(asked->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
			!offload_find(f, asked, h))
		return DROP_OFFLOAD;
	f->headers = h;
	f->offload = OFFLOAD_CSUM;
	f->vnet = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = h->l4,
			.csum_offset = asked->csum_offset,
	};
	if (asked->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return offload_check_gso(f, asked, may, frame_max);
	return f->len > frame_max ? DROP_LONG : DROP_NONE;
}
