/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest that leaves offloads to the switch, and three receivers: one takes all offloads, one
 * checksums alone, one none. For cases; main thread.
 */
#ifndef HOSTILE_OFFLOAD_H
#define HOSTILE_OFFLOAD_H

#include "hostile.h"
#include "parcel.h"

#define RECEIVERS 3

struct trio {
	struct hostile *h;
	struct party *bad, *to[RECEIVERS];
	struct parcel *heard;
};

/* `features` are the offloads of the sender. Returns false, and notes a failure, if a guest cannot be opened. */
bool trio_open(struct hostile *h, struct trio *t, uint64_t features);

void trio_close(struct trio *t);

/* Sends a packet with its header in so many descriptors, and waits until the switch is done with it. */
bool trio_send(struct trio *t, const struct parcel *p, unsigned descs);

/*
 * All that has arrived at receiver `i` must be what becomes of `p`, and nothing may be missing.
 * With `perhaps`, nothing at all may have arrived; then it returns false and notes no failure.
 */
bool trio_hears(struct trio *t, unsigned i, const struct parcel *p, bool perhaps);

/*
 * Sends it in `descs` descriptors until it arrives at receiver `i`: in more pieces than can be parked it can't wait,
 * and is lost while the receiver's pages are slow to come. Each lost one must be counted as ring_full.
 */
bool trio_arrives(struct trio *t, unsigned i, const struct parcel *p, unsigned descs);

#endif
