/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which flow a frame belongs to: see flow.h for the contract.
 *
 * The bytes behind the Ethernet header may be a guest's, who may change them at any
 * time: each is read once, into private memory, and none beyond the frame's end.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_jhash.h>

#include "copy.h"
#include "flow.h"

/* VLAN tags that are looked through: a guest's own two (802.1ad). */
#define TAGS_MAX 2

/* The headers of the longest way to the ports: two tags, IPv4 with all its options. */
#define PEEK_MAX 128

/* What the hash is over; a part that a frame lacks is not in it. */
struct flow_key {
	uint32_t n; /* words used */
	uint32_t word[12];
};

/* Copies n bytes from offset `at` of a frame. False: it has not so many. */
static inline bool
peek(const struct frame *f, uint32_t at, void *to, uint32_t n)
{
	uint8_t headers[PEEK_MAX];

	if (unlikely(at + n > f->len))
		return false;
	if (likely(at + n <= f->piece->len)) {
		memcpy(to, f->piece->base + at, n);
	} else {
		frame_peek(f, headers, at + n);
		memcpy(to, headers + at, n);
	}
	/* What follows looks at the copy, and never again at the guest's. */
	rte_compiler_barrier();
	return true;
}

static inline void
add(struct flow_key *k, const void *from, uint32_t size)
{
	memcpy(&k->word[k->n], from, size);
	k->n += size / sizeof(k->word[0]);
}

/* Both ports stand in the first word, for every protocol that has any. */
static void
add_ports(struct flow_key *k, const struct frame *f, uint32_t at, uint8_t protocol)
{
	uint32_t ports;

	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP) &&
			peek(f, at, &ports, sizeof(ports)))
		add(k, &ports, sizeof(ports));
}

static void
add_ipv4(struct flow_key *k, const struct frame *f, uint32_t at)
{
	struct rte_ipv4_hdr ip;
	uint32_t len;

	if (!peek(f, at, &ip, sizeof(ip)))
		return;
	len = (ip.version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (ip.version_ihl >> 4 != IPVERSION || len < sizeof(ip))
		return;
	add(k, &ip.src_addr, sizeof(ip.src_addr));
	add(k, &ip.dst_addr, sizeof(ip.dst_addr));
	/* Only the first fragment has ports: all of them go where it would go without. */
	if ((ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) == 0)
		add_ports(k, f, at + len, ip.next_proto_id);
}

/* Extension headers, a fragment's among them, have no ports: addresses serve. */
static void
add_ipv6(struct flow_key *k, const struct frame *f, uint32_t at)
{
	struct rte_ipv6_hdr ip;

	if (!peek(f, at, &ip, sizeof(ip)) ||
			(ip.vtc_flow & RTE_BE32(0xf0000000)) != RTE_BE32(0x60000000))
		return;
	add(k, &ip.src_addr, sizeof(ip.src_addr));
	add(k, &ip.dst_addr, sizeof(ip.dst_addr));
	add_ports(k, f, at + sizeof(ip), ip.proto);
}

uint8_t
flow_hash(const struct frame *f)
{
	struct flow_key k = {.n = 0};
	uint32_t at = sizeof(f->eth);
	rte_be16_t type = f->eth.ether_type;
	struct rte_vlan_hdr tag;
	unsigned int i;

	add(&k, &f->eth, 2 * sizeof(f->eth.src_addr));
	for (i = 0; i < TAGS_MAX &&
			(type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
					type == RTE_BE16(RTE_ETHER_TYPE_QINQ));
			i++) {
		if (!peek(f, at, &tag, sizeof(tag)))
			break;
		type = tag.eth_proto;
		at += sizeof(tag);
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		add_ipv4(&k, f, at);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		add_ipv6(&k, f, at);
	return rte_jhash_32b(k.word, k.n, 0) % FLOWS + 1;
}
