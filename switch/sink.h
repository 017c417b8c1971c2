/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A sink of frames: what a port takes them by, as a source (source.h) is what it sends them
 * by. A guest's is its receive rings, the uplink's its transmit queues.
 *
 * Forwarding knows sinks by these calls alone. A port's sink is published by RCU (port.h): any
 * worker may call it until a grace period after it was withdrawn. What they share is guarded
 * by whoever implements it. A worker calls with its own lane, which has the burst.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/drops.h"
#include "frame/frame.h"

struct lane;
struct sink;
struct source;

struct sink_ops {
	/*
	 * Copies the frames of `want`, of the lane's burst, in order, until there is no room for
	 * the next one. What can never be taken is refused, with its reason in the frame.
	 * Counts what was sent, and adds what it cost to the burst. `from`: the burst's source.
	 */
	struct outcome (*deliver)(
			struct sink *k, struct lane *l, const struct source *from, uint64_t want);
	/* Why there was no room for a frame of that source, at the last try. */
	enum drop_reason (*why_not)(const struct sink *k, const struct lane *l,
			const struct source *from, struct frame *f);
	/* The flows (flow.h) of that source that have to wait behind a frame: its own at least. */
	uint64_t (*behind)(const struct sink *k, const struct lane *l, const struct source *from,
			struct frame *f);
	/* Returns true if frames for all ports are for this one too. */
	bool (*is_open)(const struct sink *k);
};

struct sink {
	const struct sink_ops *ops;
};

#endif /* SINK_H */
