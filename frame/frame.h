/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A frame is a view, not a buffer.
 *
 * A source (a guest's transmit ring, a queue of the uplink) fetches a burst of frames. Each frame
 * says where its bytes are, and has a private copy of its Ethernet header. The bytes stay where
 * they are (in guest memory or an mbuf) until every destination has copied them; then the source
 * gets its descriptors back.
 *
 * A burst belongs to one worker and lives for one poll. No locks.
 */
#ifndef FRAME_H
#define FRAME_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <rte_ether.h>

#include "frame/frame_set.h"
#include "frame/touch.h"

struct rte_mbuf;
struct share;
struct share_clock;

/*
 * Longest descriptor chain: what QEMU's own virtio back end and Linux'
 * vhost-net take (UIO_MAXIOV), so no driver that works there is refused here.
 */
#define CHAIN_MAX 1024u

/* Fragments of a burst: four a frame, and always room for one longest chain. */
#define BURST_FRAGS (4 * BURST_MAX + CHAIN_MAX)

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

/* Longest plain frame: 1500 bytes, an Ethernet header and a tag. */
#define FRAME_PLAIN_MAX RTE_ETHER_MAX_LEN

/* The frames of one poll (see forward.c). */
struct burst {
	unsigned int n;
	unsigned int nfrags;
	uint32_t cost;          /* cost of the visit so far; see cost.h */
	uint32_t paid;          /* the part of `cost` that receivers pay for */
	uint32_t signal;        /* cost of a signal to a guest on this machine */
	uint32_t fetched;       /* unusual cost of the fetch */
	unsigned int frags_max; /* no further frame is fetched beyond that */
	frame_set plain; /* frames of one fragment, of FRAME_PLAIN_MAX bytes at most, which ask for nothing */
	bool put_off; /* the current destination took less than it has room for */
	bool cold;    /* many guests are busy: frames of this one have left the cache */
	bool far;     /* so many that even short frames have left the cache of this core */
	struct share_clock *clock; /* the worker's */
	struct share *receiver;    /* share of the current destination; NULL: none */
	struct touch touch;        /* of visits that are examined */
	alignas(RTE_CACHE_LINE_MIN_SIZE) struct frame frame[BURST_MAX];
	struct fragment frag[BURST_FRAGS];
	struct headers headers[BURST_MAX]; /* of those frames that have offloads */
};

/* Touches the pages of n fragments. Returns false if that takes long; then not all of them were touched. */
static inline bool
burst_touch(struct burst *b, const struct fragment *p, unsigned int n)
{
	const struct fragment *end = p + n;

	for (; p < end; p++)
		if (!touch_range(&b->touch, p->base, p->base + p->len))
			return false;
	return true;
}

/* The result of offering frames to a destination. */
struct outcome {
	frame_set taken;   /* copied: the destination has them */
	frame_set refused; /* can never be taken; frame.reason says why */
};

#endif /* FRAME_H */
