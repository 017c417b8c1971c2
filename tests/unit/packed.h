/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The driver's side of one packed ring, in plain memory: what a guest would write.
 * Guest memory is that of ring.h; ring->vq is the switch's view.
 */
#ifndef UNIT_PACKED_H
#define UNIT_PACKED_H

#include "guest/packed.h"
#include "ring.h"
#include "tests/driver/vring_packed.h"

struct packed {
	struct ring *r; /* for its memory and its vq, which is made to be packed */
	struct vring_packed_desc_event driver, device;
	struct vr_place next;  /* where the driver makes available next, ... */
	struct vr_place seen;  /* ... and looks for used ones */
	uint16_t chain[65536]; /* descriptors of the chain with an id, as the driver knows */
};

/* A ring of `size` entries, whose both sides begin at `at`, lap 1, with indirect descriptors. */
struct packed *packed_create(uint16_t size, uint16_t at);
void packed_destroy(struct packed *p);

/*
 * Makes a chain of n descriptors available: those of `d`, whose flags say what else
 * there is to them; NEXT and the owner's flags are put in here, and the id.
 */
void packed_offer(struct packed *p, uint16_t id, const struct vring_packed_desc *d, uint16_t n);

/* The next used chain. False: there is none. */
bool packed_taken(struct packed *p, uint16_t *id, uint32_t *len);

/* The next used chain must be this; or there must be none. */
void packed_expect(struct packed *p, uint16_t id, uint32_t len);
void packed_expect_none(struct packed *p);

#endif /* UNIT_PACKED_H */
