/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A contest: greedy guests against the gauge's honest pair.
 *
 * A thread keeps rings of the greedy ones full while they are at work. They are at work and at
 * rest by turns; the gauge's rate is taken in either, and the median of what it keeps is
 * judged. Turns in which a ring of theirs was found empty now and then do not count: there
 * they were not as greedy as they can be, as this program had no CPU.
 */
#ifndef HOSTILE_SHARE_H
#define HOSTILE_SHARE_H

#include <pthread.h>

#include "raw.h"

#define PUMPED_MAX 128

/* A ring of which each entry is available again as soon as it was used. */
struct pumped {
	struct vr_ring *vr;
	uint16_t shown; /* entries, at most */
	bool sends;
};

struct contest {
	struct hostile *h;
	struct pumped ring[PUMPED_MAX];
	unsigned n_rings;
	pthread_t thread;
	bool stop, attack;   /* the main thread's wishes */
	uint64_t looks, dry; /* at all rings while at work; with one of them empty */
};

/* All of `n` entries of a ring name the first `heads` descriptors by turns. */
void contest_pump(struct contest *c, struct vr_ring *vr, unsigned n, unsigned heads, bool sends);

/* Judges what the honest pair keeps beside c->h->greedy guests. */
void contest_judge(struct contest *c);

#endif
