/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Honest neighbours: pairs of guests that keep what they are promised.
 *
 * For each frame the least time is known that it was under way: from when it was sent until the
 * last time its receiver looked for it in vain. Only time counts in which the worker that polls the
 * sender had a CPU (cpu_time.h). Therefore no frame is late because a thread of this program, or a
 * worker, got no CPU.
 *
 * A thread of their own passes numbered frames both ways within each pair, all the time, and never
 * has more under way than the peer's receive ring holds. So each must arrive, whole and in order,
 * and nothing else may arrive except frames of the cases that go to everybody. The functions below
 * are for the main thread.
 */
#ifndef HOSTILE_NEIGHBOURS_H
#define HOSTILE_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu_time.h"

#define NEIGHBOURS 4 /* two pairs: 0 with 1, 2 with 3 */

struct neighbours;

/*
 * Connects them at `socket`, with these features too. With MRG_RXBUF they have small buffers, of
 * which a frame takes up to seven. Each sends one broadcast, from which the switch learns it.
 * `patient`: workers may have no CPU for minutes, as other programs run during a soak. Returns NULL if one could not
 * connect.
 */
struct neighbours *
neighbours_connect(const char *socket, uint64_t features, const struct cpu_time *t, bool patient);

/*
 * Starts the traffic; for when the switch has learned all of their addresses, as nothing is flooded then. Waits until
 * the switch has touched all of their receive buffers, as they pay for its page faults (switch/stall.h): their frames
 * wait for that while others are busy, milliseconds where a page fault takes 50 us. Returns false if that does not end.
 */
bool neighbours_go(struct neighbours *n);

/*
 * Waits until each has heard something since the last call, stops sending for a moment, waits until
 * all that is under way has arrived, and goes on. Returns what has gone wrong since the start, or
 * NULL. *delay_ns is the longest time that a frame was under way since the last call.
 */
const char *neighbours_check(struct neighbours *n, uint64_t *delay_ns);

/*
 * Stops sending until the next check. For cases in which others fill the neighbours' buffers, and
 * frames between the neighbours could be lost.
 */
void neighbours_rest(struct neighbours *n);

/* After neighbours_rest(): waits until all that is under way has arrived. False: something did not. */
bool neighbours_settle(struct neighbours *n);

/* Frames that a resting neighbour has sent, its broadcast included; and frames that all of them have received. */
uint64_t neighbours_sent(const struct neighbours *n, unsigned i);
uint64_t neighbours_got(const struct neighbours *n);

/*
 * Returns how many of a neighbour's frames did not arrive as the machine or a worker stood still. The switch must have
 * dropped and counted at least as many.
 */
uint64_t neighbours_lost(const struct neighbours *n, unsigned i);

/*
 * Returns the longest time, in ns, for which their thread had no turn: because of other programs, or because
 * the whole machine stood still, and perhaps the switch with it.
 */
uint64_t neighbours_stood(const struct neighbours *n);

/* Returns true if a neighbour has seen a frame of the cases with that sequence number, and forgets it. */
bool neighbours_saw(struct neighbours *n, uint64_t seq);

const uint8_t *neighbours_mac(const struct neighbours *n, unsigned i);

/* Hangs up. NULL is fine. */
void neighbours_end(struct neighbours *n);

#endif
