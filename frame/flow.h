/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Flows keep frames that belong together in one receive ring, and so in order, where the sender's
 * own rings do not decide (guest/sink.c).
 *
 * A frame's flow is a hash of its two MAC addresses, its IP addresses and its TCP, UDP or SCTP
 * ports (also after VLAN tags), reduced to one of FLOWS classes. A class goes to one ring, which
 * depends on the number of rings in use. So frames that wait hold up only their own class, and the
 * order is kept when rings are enabled and disabled.
 *
 * No state. Any worker, on frames that it holds.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdint.h>

#include <rte_branch_prediction.h>

#include "frame/frame.h"
#include "frame/frame_set.h"

/* As many classes as one uint64_t has bits. Each of 16 rings still gets four. */
#define FLOWS 64
#define FLOWS_ALL UINT64_MAX

/* Returns the frame's class, by its headers, plus one, as frame.flow has it. */
uint8_t flow_hash(const struct frame *f);

/* Returns the class of a frame. It is computed once, also if the frame's bytes change later. */
static inline unsigned int
flow_of(struct frame *f)
{
	if (f->flow == 0)
		f->flow = flow_hash(f);
	return f->flow - 1;
}

/* Returns which of n > 0 rings a frame goes to. */
static inline unsigned int
flow_ring(struct frame *f, unsigned int n)
{
	return flow_of(f) * n / FLOWS;
}

/* Returns the frames of `want`, of an array, whose classes are not among `flows`. */
static inline frame_set
flow_others(struct frame *frame, frame_set want, uint64_t flows)
{
	frame_set ok = 0;
	unsigned int i;

	if (flows == FLOWS_ALL)
		return 0;
	FRAME_SET_FOREACH(i, want)
		if (!(flows >> flow_of(&frame[i]) & 1))
			ok |= frame_set_one(i);
	return ok;
}

#endif /* FLOW_H */
