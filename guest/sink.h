/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest's receive rings as a sink of frames, which chooses the ring for a frame.
 *
 * librte_vhost's thread makes a set and publishes it (guest.c); it is constant then, until a grace
 * period after it was withdrawn. Any worker delivers.
 */
#ifndef GUEST_SINK_H
#define GUEST_SINK_H

#include "base/limits.h"
#include "switch/sink.h"

struct virtqueue;

/*
 * The receive rings that a device has enabled, in its own order. A ring that is
 * paused for a moment is NULL, so that frames wait for it and flows keep their rings.
 */
struct rx_set {
	struct sink sink;
	unsigned int n; /* number of rings, at least one */
	struct virtqueue *vq[QUEUE_PAIRS_MAX];
	uint16_t slot; /* slot of the guest */
};

extern const struct sink_ops guest_sink_ops;

#endif /* GUEST_SINK_H */
