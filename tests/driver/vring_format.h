/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What differs between the two formats of rings; private to vring.c. Names of buffers are head
 * descriptors in split rings, and buffer ids in packed ones. vring.c keeps the list of free names
 * in vr_ring.next, and what each name is of.
 */
#ifndef DRIVER_VRING_FORMAT_H
#define DRIVER_VRING_FORMAT_H

#include "vring.h"

struct vr_format {
	/* Sets shared areas and positions to those of an empty ring at `base`. */
	void (*reset)(struct vr_ring *vr, uint16_t base);
	/*
	 * Lays out the `n` descriptors of one buffer, for which there is room, and returns its
	 * name. The device writes to those from n_out on. All get `flags`.
	 */
	uint16_t (*add)(struct vr_ring *vr, const struct vr_seg *seg, unsigned n, unsigned n_out,
			uint16_t flags);
	/* The same into an indirect table. */
	void (*fill_table)(void *table, const struct vr_seg *seg, unsigned n, unsigned n_out);
	void (*publish)(struct vr_ring *vr, unsigned n);
	/* Returns true if the device wants a kick for what was published since the last time. */
	bool (*kick_wanted)(struct vr_ring *vr);
	unsigned (*pending)(const struct vr_ring *vr);
	/* Returns true if a buffer came back, and which one. Nothing in it was checked. */
	bool (*peek)(const struct vr_ring *vr, struct vr_used_elem *e);
	/* Takes that buffer; its name becomes free. */
	void (*take)(struct vr_ring *vr, uint16_t name);
	void (*want_calls)(struct vr_ring *vr, bool on);
	uint16_t (*base)(const struct vr_ring *vr);
};

/* Both formats give their functions the names of the members. */
#define VR_FORMAT \
	{ \
		.reset = reset, .add = add, .fill_table = fill_table, .publish = publish, \
		.kick_wanted = kick_wanted, .pending = pending, .peek = peek, .take = take, \
		.want_calls = want_calls, .base = base, \
	}

extern const struct vr_format vr_split;
extern const struct vr_format vr_packed;

/* Frees the `n` names from `first` to `last`, as vr->next links them. */
void vr_give_names(struct vr_ring *vr, uint16_t first, uint16_t last, unsigned n);

#endif
