/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One ring, of either format, in plain memory, with calls that write what a guest would.
 *
 * Guest memory is two regions that touch at RING_SEAM, and nothing else. Each of them, and each area
 * of the ring, is an allocation of its own, so that the sanitizer sees what goes beyond it.
 * ring->vq is the switch's view of the ring, ring->vr the driver's.
 */
#ifndef UNIT_RING_H
#define UNIT_RING_H

#include <rte_ether.h>

#include "frame/frame.h"
#include "guest/virtqueue.h"
#include "tests/driver/vring.h"
#include "unit.h"

struct packet;

#define RING_GPA UINT64_C(0x100000)
#define RING_BYTES UINT64_C(0x80000)
#define RING_SEAM (RING_GPA + RING_BYTES)
#define RING_SECOND UINT64_C(0x40000) /* bytes of the second region */
#define RING_END (RING_SEAM + RING_SECOND)

#define NEXT VR_DESC_NEXT
#define WRITE VR_DESC_WRITE
#define INDIRECT VR_DESC_INDIRECT

struct ring {
	struct virtqueue vq;
	struct guest_mem mem;
	struct vr_ring vr;
	struct vr_areas own; /* allocated by ring_create() */
	uint64_t free;       /* gpa: what ring_bytes() gives next */
	uint16_t *chain;     /* packed: descriptors of the chain with an id, which may be any */
};

/*
 * A ring of `size` entries, with indirect descriptors, the header of virtio 1 and
 * no signals. Both sides' indices begin at `index`.
 */
struct ring *ring_create(unsigned int size, uint16_t index);

/* The same of a packed ring, whose both sides begin at position `at` with wrap counters of 1. */
struct ring *ring_create_packed(uint16_t size, uint16_t at);

/*
 * Lays an empty ring out in the caller's memory, with both sides at `base`, as SET_VRING_BASE has
 * it. The driver's side is made again; on the switch's side, the addresses and the size are set.
 */
void ring_lay(struct ring *r, const struct vr_areas *in, uint16_t size, uint64_t features,
		uint16_t base);

/* Empties the ring where it is. */
void ring_reset(struct ring *r, uint16_t base);

void ring_destroy(struct ring *r);

/* The same for cmocka, whose state is the ring. */
int ring_teardown(void **state);

/* Lets the device signal. */
void ring_call(struct ring *r);

/* Returns how often the device has signalled since the last call. */
uint64_t ring_calls(struct ring *r);

/* Takes n bytes of guest memory that nobody uses. */
uint64_t ring_bytes(struct ring *r, uint32_t n);

/*
 * Writes a packet, after its virtio-net header, into guest memory that nobody uses. Returns its address; *len gets
 * the bytes of both.
 */
uint64_t ring_packet(struct ring *r, const struct packet *p, uint32_t *len);

/* Returns where a guest address is; all of the n bytes must be in one region. */
uint8_t *ring_at(struct ring *r, uint64_t gpa, uint32_t n);

void
ring_desc(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next);

/* Writes descriptor i of an indirect table in guest memory. */
void ring_table(struct ring *r, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
		uint16_t flags, uint16_t next);

/* Makes the chain of `head` available, in a split ring. */
void ring_offer(struct ring *r, uint16_t head);

/*
 * Makes a chain of n descriptors available in a packed ring. Their flags say what they are; this
 * call adds NEXT, AVAIL, USED and the id.
 */
void ring_chain(struct ring *r, uint16_t id, const struct vr_packed_desc *d, unsigned int n);

/* Offers one descriptor, in either format. `i` is its number in a split ring, and its id in a packed one. */
void ring_one(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags);

/* Takes the next used buffer, in either format. Returns false if there is none. */
bool ring_used(struct ring *r, uint32_t *id, uint32_t *len);

/* The next used entry must be this one; or there must be none. */
void ring_expect(struct ring *r, uint32_t id, uint32_t len);
void ring_expect_none(struct ring *r);

/* Fills buf with a frame of `len` bytes; what follows its header depends on `seed`. */
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
