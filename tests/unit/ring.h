/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The driver's side of one split ring, in plain memory: what a guest would write.
 *
 * Guest memory is two regions that touch at RING_SEAM (each an allocation of its
 * own, so that the sanitizer sees what goes beyond them), and nothing else. The
 * ring itself stands outside of it. ring->vq is the switch's view.
 */
#ifndef UNIT_RING_H
#define UNIT_RING_H

#include <rte_ether.h>

#include "frame/frame.h"
#include "guest/virtqueue.h"
#include "unit.h"

#define RING_GPA UINT64_C(0x100000)
#define RING_BYTES UINT64_C(0x80000)
#define RING_SEAM (RING_GPA + RING_BYTES)
#define RING_SECOND UINT64_C(0x40000) /* bytes of the second region */
#define RING_END (RING_SEAM + RING_SECOND)

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

struct ring {
	struct virtqueue vq;
	struct guest_mem mem;
	uint64_t free;  /* gpa: what ring_bytes() gives next */
	uint16_t taken; /* used entries that the driver has looked at */
};

/*
 * A ring of `size` entries, with indirect descriptors, the header of virtio 1 and
 * no signals. Both sides' indices begin at `index`.
 */
struct ring *ring_create(unsigned int size, uint16_t index);
void ring_destroy(struct ring *r);

/* Lets the device signal: an eventfd, closed by ring_destroy(). */
void ring_call(struct ring *r);

/* Signals since the last time. */
uint64_t ring_calls(struct ring *r);

/* Takes n bytes of guest memory that nobody uses. */
uint64_t ring_bytes(struct ring *r, uint32_t n);

/* Where a guest address is; all of n bytes must be in one region. */
uint8_t *ring_at(struct ring *r, uint64_t gpa, uint32_t n);

void
ring_desc(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next);

/* Writes descriptor i of an indirect table in guest memory. */
void ring_table(struct ring *r, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
		uint16_t flags, uint16_t next);

/* Makes the chain of `head` available. */
void ring_offer(struct ring *r, uint16_t head);

/* Whether there is a used entry; which one. */
bool ring_used(struct ring *r, uint32_t *id, uint32_t *len);

/* The next used entry must be there and be this; or must not be there. */
void ring_expect(struct ring *r, uint32_t id, uint32_t len);
void ring_expect_none(struct ring *r);

/* Fills buf with a frame of `len` bytes; what is behind its header follows from `seed`. */
void frame_make(uint8_t *buf, const struct rte_ether_addr *to, const struct rte_ether_addr *from,
		uint32_t len, uint32_t seed);

/* Address number n of guest `port`. */
struct rte_ether_addr mac_of(uint16_t port, uint8_t n);

extern const struct rte_ether_addr mac_broadcast;

/*
 * Puts header and frame into one descriptor, `i`, and offers it.
 * Returns the frame's place in guest memory.
 */
uint8_t *ring_send(struct ring *r, uint16_t i, const struct rte_ether_addr *to,
		const struct rte_ether_addr *from, uint32_t len, uint32_t seed);

/* Offers an empty buffer of `len` bytes as descriptor i. Returns its guest address. */
uint64_t ring_room(struct ring *r, uint16_t i, uint32_t len);

#endif /* UNIT_RING_H */
