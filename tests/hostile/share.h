/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A contest: greedy guests against the gauge's honest pair.
 *
 * A thread keeps the rings of the greedy guests full while they are at work. They work and rest by
 * turns; the gauge's rate is measured in both, and the median of what it keeps is judged. A turn
 * does not count if one of their rings was found empty now and then: this program had no CPU, and
 * they were not as greedy as they can be.
 */
#ifndef HOSTILE_SHARE_H
#define HOSTILE_SHARE_H

#include <pthread.h>

#include "raw.h"

#define PUMPED_MAX 128

/* A ring of which each entry is available again as soon as it was used. */
struct pumped {
	struct vr_ring *vr;
	uint16_t shown; /* the most entries that are available at a time */
	bool sends;
	uint8_t *fresh; /* memory of the buffers, which is given back when they were used; NULL: it stays */
	size_t each; /* bytes of it for each of `slots` buffers */
	unsigned slots;
	uint16_t given; /* used index up to which it was given back */
};

struct contest {
	struct hostile *h;
	struct pumped ring[PUMPED_MAX];
	unsigned n_rings;
	unsigned skip; /* windows of the gauge in each turn before those that count */
	pthread_t thread;
	bool stop, attack;   /* the main thread's wishes */
	uint64_t looks, dry; /* looks at all rings while at work; those that found one empty */
};

/* Keeps `n` entries of a ring available. They name its first `heads` descriptors by turns. */
void contest_pump(struct contest *c, struct vr_ring *vr, unsigned n, unsigned heads, bool sends);

/* Gives memory of the ring's buffers back to the kernel when they were used: `each` bytes for each of `slots`. */
void contest_forget(struct contest *c, const struct vr_ring *vr, void *memory, size_t each,
		unsigned slots);

/* Judges what the honest pair keeps beside c->h->greedy guests. */
void contest_judge(struct contest *c);

#endif
