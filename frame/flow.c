/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds the flow of a frame: see flow.h for the contract.
 *
 * The bytes after the Ethernet header may be in a guest's memory, which may change at any time:
 * each is read once, into private memory, and none beyond the frame's end.
 *
 * This is done for each frame to a guest with several rings, so the usual case (IPv4 without
 * options, in one fragment) is a single copy of 24 bytes and two multiplications: 3 to 4 ns.
 */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ip.h>

#include "frame/copy.h"
#include "frame/flow.h"

/* Longest headers before the ports: two tags, and IPv4 with all its options. */
#define PEEK_MAX 128

/* Odd numbers with as many ones as zeroes, without further meaning. */
#define MIX_MACS UINT64_C(0x9e3779b97f4a7c15)
#define MIX_REST UINT64_C(0xc2b2ae3d27d4eb4f)

/* The input of the hash, except the MAC addresses. Fields that a frame lacks are 0. */
struct flow_key {
	uint64_t ip; /* both addresses */
	uint32_t ports;
};

/* The header of IPv4 without options, and the ports after it. */
struct ipv4_ports {
	struct rte_ipv4_hdr ip;
	uint32_t ports;
};
static_assert(sizeof(struct ipv4_ports) == sizeof(struct rte_ipv4_hdr) + sizeof(uint32_t),
		"as on the wire: no padding");

/* Each bit of the result depends on all bits of both numbers. */
static inline uint64_t
flow_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Copies n bytes from offset `at` of a frame. Returns false if the frame is too short. */
static inline bool
flow_peek(const struct frame *f, uint32_t at, void *to, uint32_t n)
{
	uint8_t headers[PEEK_MAX];

	if (unlikely(at + n > f->len))
		return false;
	if (likely(at + n <= f->frag->len)) {
		memcpy(to, f->frag->base + at, n);
	} else {
		frame_peek(f, headers, at + n);
		memcpy(to, headers + at, n);
	}
	/* The code after this reads the copy, and never again the guest's memory. */
	rte_compiler_barrier();
	return true;
}

static inline bool
flow_has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* Only the first IP fragment has ports, so the hash of all of them leaves ports out. */
static inline bool
flow_is_fragment(const struct rte_ipv4_hdr *ip)
{
	return (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) !=
			0;
}

/* Handles IPv4 with options, or with nothing after the header. */
static void
flow_look_at_ipv4_slowly(struct flow_key *k, const struct frame *f, uint32_t at)
{
	struct rte_ipv4_hdr ip;
	uint32_t len;

	if (!flow_peek(f, at, &ip, sizeof(ip)))
		return;
	len = (ip.version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (ip.version_ihl >> 4 != IPVERSION || len < sizeof(ip))
		return;
	k->ip = (uint64_t)ip.src_addr << 32 | ip.dst_addr;
	if (flow_has_ports(ip.next_proto_id) && !flow_is_fragment(&ip))
		flow_peek(f, at + len, &k->ports, sizeof(k->ports));
}

static inline void
flow_look_at_ipv4(struct flow_key *k, const struct frame *f, uint32_t at)
{
	struct ipv4_ports h;

	if (unlikely(at + sizeof(h) > f->frag->len || !flow_peek(f, at, &h, sizeof(h)) ||
			    h.ip.version_ihl != RTE_IPV4_VHL_DEF)) {
		flow_look_at_ipv4_slowly(k, f, at);
		return;
	}
	k->ip = (uint64_t)h.ip.src_addr << 32 | h.ip.dst_addr;
	if (likely(flow_has_ports(h.ip.next_proto_id) && !flow_is_fragment(&h.ip)))
		k->ports = h.ports;
}

/*
 * With extension headers, such as a fragment's, ports are not looked for: the addresses are enough.
 */
static void
flow_look_at_ipv6(struct flow_key *k, const struct frame *f, uint32_t at)
{
	struct rte_ipv6_hdr ip;
	uint64_t word[4];

	if (!flow_peek(f, at, &ip, sizeof(ip)) ||
			(ip.vtc_flow & RTE_BE32(0xf0000000)) != RTE_BE32(0x60000000))
		return;
	memcpy(&word[0], &ip.src_addr, sizeof(ip.src_addr));
	memcpy(&word[2], &ip.dst_addr, sizeof(ip.dst_addr));
	k->ip = flow_mix(word[0] ^ MIX_MACS, word[1] ^ MIX_REST) ^
			flow_mix(word[2] ^ MIX_REST, word[3] ^ MIX_MACS);
	if (flow_has_ports(ip.proto))
		flow_peek(f, at + sizeof(ip), &k->ports, sizeof(k->ports));
}

uint8_t
flow_hash(const struct frame *f)
{
	struct flow_key k = {0, 0};
	uint32_t at = sizeof(f->eth), mac_end;
	rte_be16_t type = f->eth.ether_type;
	struct rte_vlan_hdr tag;
	uint64_t mac, hash;
	unsigned int i;

	for (i = 0; i < FRAME_TAGS_MAX && ether_is_tag(type); i++) {
		if (!flow_peek(f, at, &tag, sizeof(tag)))
			break;
		type = tag.eth_proto;
		at += sizeof(tag);
	}
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		flow_look_at_ipv4(&k, f, at);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		flow_look_at_ipv6(&k, f, at);
	memcpy(&mac, &f->eth, sizeof(mac));
	memcpy(&mac_end, (const uint8_t *)&f->eth + sizeof(mac), sizeof(mac_end));
	hash = flow_mix(mac ^ MIX_MACS, mac_end ^ MIX_REST);
	hash = flow_mix(hash ^ k.ip, k.ports ^ MIX_REST);
	/* Takes the highest bits, which depend on all others. */
	return hash * MIX_MACS / (UINT64_MAX / FLOWS + 1) + 1;
}
