/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest that breaks the rules: its memory, and the two rings that an input fills.
 *
 * Memory is two regions that touch at RING_SEAM, as in ring.h but small: a few bits of an input are
 * enough for an address that is just inside memory, or just outside. Everything that the switch may
 * reach is an allocation of its exact size, each ring's areas too: ASan sees an access to one byte
 * more.
 */
#ifndef FUZZ_HOSTILE_RING_H
#define FUZZ_HOSTILE_RING_H

#include "fuzz.h"
#include "ring.h"

#define HOSTILE_LOW UINT64_C(0x4000)  /* bytes below the seam */
#define HOSTILE_HIGH UINT64_C(0x2000) /* bytes above it */
#define HOSTILE_GPA (RING_SEAM - HOSTILE_LOW)
#define HOSTILE_END (RING_SEAM + HOSTILE_HIGH)

struct hostile_ring {
	struct ring ring; /* the memory and the park last for all inputs */
};

/* How a ring begins, and what was negotiated for it. */
struct hostile_setup {
	bool packed;
	uint16_t size, at;
	bool mergeable, event_idx, indirect, in_order, logging, calls, short_header;
	bool plain;  /* its rings are read without AVX2 */
	bool leased; /* parts of its receive ring are leased, as if several workers filled it */
	uint8_t offloads;
	uint32_t frame_max;
};

void hostile_ring_create(struct hostile_ring *h);

/* Replaces the ring by a new one. It shares the memory `mem` of another ring, if that is not NULL. */
void hostile_ring_setup(struct hostile_ring *h, const struct hostile_setup *s, struct ring *mem);

/* Does one step of its driver, as the input says: a descriptor, bytes anywhere, something made available. */
void hostile_ring_step(struct hostile_ring *h, uint8_t op, struct input *in);
#define HOSTILE_STEPS 5

/* Returns a guest address, near one of the ends of memory unless the input wants another. */
uint64_t hostile_gpa(struct input *in);

/* Writes bytes at a guest address, as far as there is memory. */
void hostile_write(struct ring *r, uint64_t gpa, const void *bytes, uint32_t n);

#endif /* FUZZ_HOSTILE_RING_H */
