/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest that leaves offloads to the switch, and three receivers: one takes them all, one
 * checksums alone, one nothing. For cases; main thread.
 */
#ifndef HOSTILE_OFFLOAD_H
#define HOSTILE_OFFLOAD_H

#include "hostile.h"
#include "packet.h"

#define RECEIVERS 3

struct trio {
	struct hostile *h;
	struct party *bad, *to[RECEIVERS];
	struct packet *heard;
};

/* `features`: offloads of the sender. False, and a failure, if one cannot. */
bool trio_open(struct hostile *h, struct trio *t, uint64_t features);

void trio_close(struct trio *t);

/* Sends a packet with its header in so many descriptors, and waits until the switch is done with it. */
bool trio_send(struct trio *t, const struct packet *p, unsigned descs);

/*
 * All that has come for receiver `i` is what must become of `p`, whole. `perhaps`: or nothing has
 * come at all, and then false without a failure.
 */
bool trio_hears(struct trio *t, unsigned i, const struct packet *p, bool perhaps);

#endif
