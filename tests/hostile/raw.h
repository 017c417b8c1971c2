/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Rings of a party by hand: whatever is asked is written, right or wrong.
 *
 * For use once the party has nothing under way (after party_meet()). Descriptors are the
 * caller's to lay out with raw_desc(), by number, and linked as in a split ring; the calls
 * below show heads to the switch and watch them come back. In a packed ring what is laid out
 * is written when it is posted: where that ring stands, with the head's number as its id.
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

/* `len` bytes of a region; at NULL (and a failure) without room. */
struct buf raw_buf(struct party *p, unsigned region, uint32_t len);

/* The last `len` bytes of a region, and where it ends. */
struct buf raw_end_buf(struct party *p, unsigned region, uint32_t len);

/* Header and a good frame of `len` bytes from `p` to `to`. */
struct buf raw_frame(struct party *p, const uint8_t *to, uint32_t len);

/* Copies header and frame of another buffer: the good ones of raw_frame(). */
void raw_fill(uint8_t *to, const struct buf *frame, uint32_t offset, uint32_t len);

/* A descriptor as it is laid out; in a packed ring, a private one. */
struct vr_desc *raw_at(struct vr_ring *vr, uint16_t i);

void raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next);

/* Writes a descriptor into a packed ring, at a place of the driver's choice, and makes it available. */
void raw_packed(struct vr_ring *vr, struct vr_place at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags);

/*
 * Entry `i` of an indirect table at `table`, which must be aligned. In the format for packed
 * rings there is no next: entries follow each other.
 */
void raw_entry(const struct vr_ring *vr, void *table, unsigned i, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next);

/* Lays `n` pieces out as a chain in descriptors first, first + 1, ...; all with `flags` too. */
void
raw_chain(struct vr_ring *vr, uint16_t first, const struct vr_seg *seg, unsigned n, uint16_t flags);

/* Shows `n` heads at once. */
void raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n);

void raw_post_one(struct vr_ring *vr, uint16_t head);

/* Waits until `n` more came back, and takes them; with the length of the last in *len. */
bool raw_returned(struct party *p, struct vr_ring *vr, unsigned n, uint32_t *len);

/* Posts a good frame to `peer` and waits until it is there: the ring works. */
bool raw_works(struct party *p, struct party *peer);

/* Takes the honest buffers out of the receive ring: what is posted next is filled next. */
bool raw_receive_begin(struct party *p, struct party *peer);

/*
 * The rings of a stopped device stay as they are, also when there is more to do on them:
 * a frame more is posted, and one is sent to it.
 */
bool raw_untouched(struct party *p, struct party *peer);

#endif
