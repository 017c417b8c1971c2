/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What differs between the two formats of rings, behind vring.h. Names of buffers are head
 * descriptors in split rings, buffer ids in packed ones; vring.c keeps the list of free ones in
 * vring.next, and what each stands for.
 */
#ifndef DRIVER_VRING_FORMAT_H
#define DRIVER_VRING_FORMAT_H

#include "vring.h"

struct vr_format {
	/* Shared areas and positions as at the beginning, at `base`. */
	void (*reset)(struct vr_ring *vr, uint16_t base);
	/*
	 * Lays `n` descriptors of one buffer out, of which those from n_out on are to write, and
	 * returns its name. There is room. `flags` are set in all of them.
	 */
	uint16_t (*add)(struct vr_ring *vr, const struct vr_seg *seg, unsigned n, unsigned n_out,
			uint16_t flags);
	/* The same into an indirect table. */
	void (*fill_table)(void *table, const struct vr_seg *seg, unsigned n, unsigned n_out);
	void (*publish)(struct vr_ring *vr, unsigned n);
	/* Whether the device wants to hear of what was published since the last time. */
	bool (*kick_wanted)(struct vr_ring *vr);
	unsigned (*pending)(const struct vr_ring *vr);
	/* Whether one came back, and the next one. Nothing in it was checked. */
	bool (*peek)(const struct vr_ring *vr, struct vr_used_elem *e);
	/* It, of that name, is taken; its name becomes free. */
	void (*take)(struct vr_ring *vr, uint16_t name);
	void (*want_calls)(struct vr_ring *vr, bool on);
	uint16_t (*base)(const struct vr_ring *vr);
};

extern const struct vr_format vr_split;
extern const struct vr_format vr_packed;

/* The `n` names from `first` to `last`, as vr->next links them, are free again. */
void vr_give_names(struct vr_ring *vr, uint16_t first, uint16_t last, unsigned n);

#endif
