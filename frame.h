/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame is a view, not a buffer.
 *
 * A source (a guest's transmit ring, a queue of the uplink) fetches a burst of
 * frames: for each one where its bytes lie and a private copy of its Ethernet
 * header. The bytes stay where they are (guest memory or an mbuf) until every
 * destination has copied them; then the source gets its descriptors back.
 *
 * A burst belongs to one worker and lives for one poll. No locks.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

struct rte_mbuf;

/* Frames handled at a time: a set of them is the bits of one uint64_t. */
#define BURST_MAX 64

/*
 * Longest descriptor chain: what QEMU's own virtio back end and Linux'
 * vhost-net take (UIO_MAXIOV), so no driver that works there is refused here.
 */
#define CHAIN_MAX 1024u

/* Pieces of a burst: four a frame, and always room for one longest chain. */
#define BURST_PIECES (4 * BURST_MAX + CHAIN_MAX)

/* One contiguous run of bytes in this process's address space. */
struct piece {
	uint8_t *base;
	uint32_t len;
};

struct frame {
	struct rte_ether_hdr eth; /* private copy: routed on, and sent on */
	uint16_t npieces;
	uint32_t len;          /* bytes, from the Ethernet header on */
	uint16_t id;           /* its source's name for it; see struct used_chain */
	uint8_t reason;        /* enum drop_reason, once it is lost */
	uint8_t flow;          /* see flow.h; 0: not looked at yet */
	uint8_t tagged;        /* tci is valid; set for frames of the uplink, and in --vm2vm 2 */
	uint16_t tci;          /* VLAN tag (control information) on the uplink */
	uint16_t ndesc;        /* ... and how many descriptors it took */
	struct piece *piece;   /* npieces of them hold len bytes */
	struct rte_mbuf *mbuf; /* from the uplink: what to free in the end */
};

/* Marks a frame that can't be switched, and why; none of its bytes are used. */
static inline void
frame_lose(struct frame *f, uint8_t reason)
{
	f->reason = reason;
	f->npieces = 0;
	f->len = 0;
}

/* Whether a guest's frame has a tag of its own, which is none of ours. */
static inline bool
frame_own_tag(const struct frame *f)
{
	return f->eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
			f->eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* The frames of one poll, and where each is to go (see forward.c). */
struct burst {
	unsigned int n;
	unsigned int npieces;
	struct frame frame[BURST_MAX];
	struct piece piece[BURST_PIECES];
};

/* What became of the frames a destination was offered; bit i is frame i. */
struct outcome {
	uint64_t taken;   /* copied: the destination has them */
	uint64_t refused; /* can never be taken; frame.reason says why */
};

#endif /* FRAME_H */
