/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A source of frames: a guest's transmit ring or a queue of the uplink.
 *
 * Forwarding knows sources by these two calls alone. A source belongs to the
 * worker that polls it; only that worker calls them, but for a guest's pause,
 * when its worker has let go of it.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct burst;
struct frame;
struct park;
struct port_count;
struct source;

/* The frames may be for any device. */
#define SOURCE_ANY UINT16_MAX

struct source_ops {
	/*
	 * Fills b with up to `max` frames, at most BURST_MAX. A frame that can't
	 * be switched is there too, with its drop reason set: it must be counted
	 * and given back like any other. Returns how many.
	 */
	unsigned int (*fetch)(struct source *s, struct burst *b, unsigned int max);
	/*
	 * Undoes the fetch of the frames from `from` < b->n on, which are the first of the
	 * next one; so b->n becomes `from`. Right after the fetch alone.
	 */
	void (*unfetch)(struct source *s, struct burst *b, unsigned int from);
	/* Gives the frames of `mask` back: they are done with. */
	void (*retire)(struct source *s, struct frame *frame, uint64_t mask,
			struct port_count *count);
};

struct source {
	const struct source_ops *ops;
	struct park *park; /* frames that wait for room; see park.h */
	uint16_t port;     /* where its frames come from */
	uint16_t pair;     /* of a guest: which queue pair's transmit ring it is */
	bool waiting;      /* there are frames in the park */
	uint16_t device;   /* of the uplink: the one device that they are for, or SOURCE_ANY */
	uint16_t copied;   /* ... devices below this one get them from a pool as well */
};

#endif /* SOURCE_H */
