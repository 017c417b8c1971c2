/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A sink of frames: the side of a port that takes them, as a source (source.h) is a side that
 * brings them. A guest's sink is its receive rings, the uplink's its transmit queues.
 *
 * Forwarding knows sinks by these calls alone. A port's sink is published by RCU (port.h): any
 * worker may call it until a grace period after it was withdrawn. The implementation guards what
 * workers share. A worker calls with its own lane, which has the burst.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/drops.h"
#include "switch/burst.h"

struct lane;
struct sink;
struct source;

struct sink_ops {
	/*
	 * Copies the frames of `want`, of the lane's burst, in order, until there is no room for
	 * the next one. A frame that can never be taken is refused, with its reason in the frame.
	 * Counts what was sent, and adds its cost to the burst. `from`: the burst's source.
	 */
	struct outcome (*deliver)(
			struct sink *k, struct lane *l, const struct source *from, frame_set want);
	/* Returns why there was no room for a frame of that source, at the last try. */
	enum drop_reason (*why_not)(const struct sink *k, const struct lane *l,
			const struct source *from, struct frame *f);
	/*
	 * Returns true if the frames of that source are queued by flow (flow.h): then a frame that waits holds up
	 * its own flow only. Otherwise it holds up all later ones. NULL: never by flow.
	 */
	bool (*by_flow)(const struct sink *k, const struct lane *l, const struct source *from);
	/* Returns true if flooded frames go to this port, too. */
	bool (*is_open)(const struct sink *k);
	/* Prefetches what will be needed for a burst of that source, as source_ops' ahead() does. */
	void (*ahead)(const struct sink *k, const struct source *from, bool next);
	/*
	 * Does what earlier calls of the lane left over, and what the port itself needs from time to time. Its
	 * worker calls it after each round, for the sink of PORT_UPLINK alone. Returns true if something is left
	 * still: then the worker must not sleep. NULL: nothing ever is.
	 */
	bool (*work)(struct sink *k, const struct lane *l);
};

struct sink {
	const struct sink_ops *ops;
};

#endif /* SINK_H */
