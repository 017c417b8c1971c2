/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Flows: what keeps frames that belong together in one receive ring, and so in order,
 * where the sender's own rings do not tell (by_pairs() in forward.c).
 *
 * A frame's flow is a hash of its two MAC addresses, its IP addresses and its TCP, UDP
 * or SCTP ports (those inside of VLAN tags too), cut down to one of FLOWS classes. A
 * class goes to one ring, whichever that is for the number of rings in use; so frames
 * that wait need only hold up their own class, and order holds when rings come and go.
 *
 * No state. Any worker, on frames that it holds.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdint.h>

#include <rte_branch_prediction.h>

#include "frame/frame.h"

/* Classes: as many as one uint64_t has bits. Of 16 rings each still gets four. */
#define FLOWS 64
#define FLOWS_ALL UINT64_MAX

/* Looks at the frame's headers: its class plus one, which frame.flow keeps. */
uint8_t flow_hash(const struct frame *f);

/* The class of a frame; worked out once, however often its bytes change meanwhile. */
static inline unsigned int
flow_of(struct frame *f)
{
	if (f->flow == 0)
		f->flow = flow_hash(f);
	return f->flow - 1;
}

/* Which of n > 0 rings a frame goes to. */
static inline unsigned int
flow_ring(struct frame *f, unsigned int n)
{
	return flow_of(f) * n / FLOWS;
}

#endif /* FLOW_H */
