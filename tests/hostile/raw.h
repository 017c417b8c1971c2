/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Rings of a party, written by hand: whatever is asked for is written, right or wrong.
 *
 * For use while the party has nothing under way (after party_meet()). The caller lays descriptors
 * out with raw_desc(), by number, and links them as in a split ring; the calls below make heads
 * available and watch them come back. In a packed ring the descriptors are written when they are
 * posted: at the place that the ring fills next, with the head's number as their id.
 */
#ifndef HOSTILE_RAW_H
#define HOSTILE_RAW_H

#include "hostile.h"

/* A buffer in guest memory. */
struct buf {
	uint8_t *at;
	uint64_t gpa;
	uint32_t len;
};

/* Takes `len` bytes of a region. If there is no room, `at` is NULL and a failure is noted. */
struct buf raw_buf(struct party *p, unsigned region, uint32_t len);

/* Takes the last `len` bytes of a region. */
struct buf raw_end_buf(struct party *p, unsigned region, uint32_t len);

/* Makes a header and a good frame of `len` bytes from `p` to `to`. */
struct buf raw_frame(struct party *p, const uint8_t *to, uint32_t len);

/* Copies bytes of a buffer that raw_frame() made: of its header and its frame. */
void raw_fill(uint8_t *to, const struct buf *frame, uint32_t offset, uint32_t len);

/* Returns descriptor i as it is laid out; with a packed ring it is not in guest memory. */
struct vr_desc *raw_at(struct vr_ring *vr, uint16_t i);

void raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next);

/* Writes a descriptor into a packed ring, at a place of the driver's choice, and makes it available. */
void raw_packed(struct vr_ring *vr, struct vr_place at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags);

/*
 * Entry `i` of an indirect table at `table`, which must be aligned. The format for packed rings has
 * no `next`: entries follow each other.
 */
void raw_entry(const struct vr_ring *vr, void *table, unsigned i, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next);

/* Lays `n` segments out as a chain in descriptors first, first + 1 and so on, all of them with `flags` too. */
void
raw_chain(struct vr_ring *vr, uint16_t first, const struct vr_seg *seg, unsigned n, uint16_t flags);

/* Makes `n` heads available at once. */
void raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n);

void raw_post_one(struct vr_ring *vr, uint16_t head);

/* Waits until `n` more came back, and takes them. *len is the length of the last one. */
bool raw_returned(struct party *p, struct vr_ring *vr, unsigned n, uint32_t *len);

/* Posts a good frame to `peer` and waits until it has arrived: the ring works. */
bool raw_works(struct party *p, struct party *peer);

/* Takes the honest buffers out of the receive ring: what is posted next is filled next. */
bool raw_receive_begin(struct party *p, struct party *peer);

/*
 * The rings of a stopped device must stay as they are, even if there is more to do on them: one
 * more frame is posted, and one is sent to the device.
 */
bool raw_untouched(struct party *p, struct party *peer);

#endif
