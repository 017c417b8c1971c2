/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The cost of the work for a guest, so that each guest gets its share of a worker and no more
 * (switch/share.h), and no visit to a ring is long.
 *
 * Costs are counted from the work done and not read from a clock: if a worker loses its CPU for a
 * while, or takes a page fault, nobody is charged for that. The unit is about a cycle; only the
 * ratios matter. These were measured on a 2.3 GHz Xeon, in cycles:
 *
 *                                            in the cache    rings shared with a core
 *     a frame of 64 bytes, in bursts of 64         30                  40
 *     a frame of 1518 bytes                       110                 340
 *     one more copy of 64 bytes                    17
 *     a descriptor of an indirect table            13
 *
 * Honest guests have the second column, so the constants follow it. Hostile guests have the first
 * one. Only they use many descriptors, so a descriptor is given a higher cost than measured.
 *
 * Constants, and no state; any thread. What is charged belongs to whoever is charged: a visit's cost to the worker's
 * burst (switch/burst.h), a guest's account to the worker that polls it.
 */
#ifndef COST_H
#define COST_H

#include <stdint.h>

#include "frame/frame.h"

#define COST_VISIT 128 /* a poll that finds something, and publishing its results */
#define COST_FRAME 16  /* to fetch, route and retire a frame */
#define COST_COPY 16   /* to copy a fragment of a frame, bytes aside */
#define COST_SEARCH 96 /* to search the table for an address (fdb.h), or to ask to learn one */
#define COST_DESC 20   /* to look at a descriptor of a chain, beyond the first */
/*
 * The same if the guest has many regions of memory, for each beyond COST_REGIONS_FREE: both the descriptor and
 * its buffer may be in the last one that is looked at. Virtual machines have two or three regions.
 */
#define COST_REGION 3
#define COST_REGIONS_FREE 3
#define COST_TOUCH 8   /* to touch a fragment's page, in examined visits (switch/stall.h) */
#define COST_MAC 3     /* to compare a source address with one that its port may use */
#define COST_DROP 24   /* to drop a frame, beyond what each costs: none has the cost of a copy */
#define COST_FLOOD 16  /* to look if a port takes the flooded frames of a burst */
#define COST_OTHERS 4  /* to look if it has their tag */
#define COST_DEST 64   /* a destination of a burst: its ring's lock, index and event */
#define COST_PAUSE 140 /* to try for a lock once more */
#define COST_WAIT 32   /* to offer a frame that waits once more */
#define COST_ERRAND 40 /* to look at one port that such a frame waits for */
#define COST_PARK 112  /* to park a copy of a frame, or to drop it because it may not wait */
/* To check the headers of a frame with offloads, and to copy them if it has to wait. */
#define COST_HEADERS 200
#define COST_SEGMENT 128 /* to make one of the segments that a long frame is cut into */
/* A write to an eventfd, which may wake a sleeper: about a microsecond. More where system calls are slow (lane.c). */
#define COST_SIGNAL 2048u

/*
 * While there is work, one look at an idle port is made for each COST_LOOK of work. A look takes some 15
 * cycles, so idle guests, however many, cost the busy ones little time. One of 256 guests that begins to send is
 * seen after work of 65,536 at most, less than a visit may cost. With half of this value idle guests took more time
 * of others than they may: see doc/figures.rst, "Where the cycles of a frame go".
 */
#define COST_LOOK 256

/* To copy n bytes. */
#define COST_BYTES(n) ((n) / 5)
/*
 * The same copies into a ring that another worker fills as well: the ring's lines and the buffers are in that core's
 * cache. At the cost of other copies, a pair on each of two workers kept too little of its rate beside a guest that
 * sent to one ring on both: see doc/figures.rst, "Where the cycles of a frame go".
 */
#define COST_BESIDE(copies) (3 * (copies) / 2)
/* To add n bytes up for a checksum, in plain C: vectors take less than half of it. */
#define COST_SUM(n) ((n) / 10)

/*
 * The most that a visit to a source may cost. A visit ends when it has cost that much, so it may cost one
 * step more: a burst of plain frames for one ring, the longest walk for a frame (4096 descriptors, 82,000),
 * or a frame that is cut into as many as may be (1366, 175,000), for which there are two such walks. Together
 * that is 165 us at 2.3 GHz, with the measured cycles of a descriptor. Chains that waited to be returned in
 * order (in_order.h) are not counted again, and take 10 us at most. A visit must not last longer than 200 us,
 * so 25 us are left for slow memory.
 */
#define COST_VISIT_MAX 100000

/* Returns the cost of a copy of the frame. */
static inline uint32_t
frame_cost(const struct frame *f)
{
	return f->nfrags * COST_COPY + COST_BYTES(f->len);
}

/* The most that a copy of a plain frame costs. */
#define COST_PLAIN_MAX (COST_COPY + COST_BYTES(FRAME_PLAIN_MAX))

/* A fetch takes no further frame once it has cost that much: a third of a visit. */
#define COST_FETCH_MAX 32768

#endif /* COST_H */
