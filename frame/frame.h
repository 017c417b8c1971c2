/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A frame is a view, not a buffer.
 *
 * It says where its bytes are, and has a private copy of its Ethernet header. The bytes stay where
 * they are (in guest memory or an mbuf) until every destination has copied them; then the source
 * that it came from (switch/source.h) gets its descriptors back.
 *
 * A frame is part of a burst (switch/burst.h), and belongs to the worker that has that. No locks.
 */
#ifndef FRAME_H
#define FRAME_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <rte_ether.h>

struct rte_mbuf;

/*
 * Longest descriptor chain: what QEMU's own virtio back end and Linux'
 * vhost-net take (UIO_MAXIOV), so no driver that works there is refused here.
 */
#define CHAIN_MAX 1024u

/*
 * Room for an Ethernet header, two VLAN tags, and the longest headers of IP and TCP (142 bytes),
 * and some more for IPv6 extension headers.
 */
#define HEADERS_MAX 256

/* One contiguous run of bytes in this process's address space. */
struct fragment {
	uint8_t *base;
	uint32_t len;
};

/* A private copy of the headers of a frame with offloads. It is checked, and receivers get it. */
struct headers {
	uint16_t l3;   /* offset of the IP header */
	uint16_t l4;   /* offset of the TCP or UDP header */
	uint16_t len;  /* end of the TCP or UDP header */
	uint16_t held; /* number of bytes from the frame's beginning that are here */
	bool ipv6;     /* else IPv4 */
	bool tcp;      /* else UDP */
	bool extended; /* there are IPv6 extension headers */
	/*
	 * The checksum is of any protocol: l4 is where its sum begins, and tcp is false if it may
	 * be UDP's. A checksum after the copied bytes stays in the frame: len is the length of the
	 * Ethernet header then.
	 */
	bool generic;
	alignas(16) uint8_t bytes[HEADERS_MAX]; /* no vector of it is in two cache lines */
};

struct frame {
	struct rte_ether_hdr eth; /* private copy, for routing and for receivers */
	uint16_t nfrags;
	uint32_t len;    /* length in bytes, with the Ethernet header */
	uint16_t id;     /* its number at its source; see struct used_chain */
	uint16_t ndesc;  /* number of descriptors that it took */
	uint16_t tci;    /* VLAN tag (control information) on the uplink */
	uint8_t tagged;  /* tci is valid; set for frames of the uplink, and in --vm2vm 2 */
	uint8_t reason;  /* enum drop_reason, once it is lost */
	uint8_t flow;    /* see flow.h; 0: not looked at yet */
	uint8_t offload; /* enum offload: what is left to do; see offload.h */
	struct virtio_net_hdr vnet; /* private copy, checked; without a flag the rest is not set */
	struct fragment *frag;      /* nfrags of them hold len bytes */
	struct rte_mbuf *mbuf;      /* from the uplink: the mbuf to free in the end */
	struct headers *headers;    /* set if offload is not 0 */
};

/* A burst is an array of frames, each in its own cache line. */
static_assert(sizeof(struct frame) == RTE_CACHE_LINE_MIN_SIZE, "struct frame");

/* Number of a frame's own VLAN tags that are skipped to find its protocol: two (802.1ad). */
#define FRAME_TAGS_MAX 2

static inline bool
ether_is_tag(rte_be16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* Marks a frame that can't be switched with the reason; none of its bytes are used. */
static inline void
frame_lose(struct frame *f, uint8_t reason)
{
	f->reason = reason;
	f->nfrags = 0;
	f->len = 0;
	f->offload = 0;
}

/* Returns true if the guest itself has tagged its frame. */
static inline bool
frame_own_tag(const struct frame *f)
{
	return ether_is_tag(f->eth.ether_type);
}

/* The bits of a tag that name the VLAN; the others are its priority. */
#define VLAN_ID 0xfff

/* Shortest frame on the wire, without its checksum (IEEE 802.3 clause 3.2.8). */
#define FRAME_MIN (RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN)

/* Longest plain frame: 1500 bytes, an Ethernet header and a tag. */
#define FRAME_PLAIN_MAX RTE_ETHER_MAX_LEN

#endif /* FRAME_H */
