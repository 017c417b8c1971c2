/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Honest neighbours: pairs of guests that keep what they are promised.
 *
 * Of each frame it is known how long it was under way at least: from when it was sent until the
 * last time its receiver looked for it in vain, and only the time counts in which the worker
 * that polls the sender had a CPU (workers.h). So neither a thread of this program that gets
 * no CPU nor a worker that gets none makes a frame late.
 *
 * A thread of their own passes sequence-numbered frames both ways within each pair, all the
 * time, never more under way than the peer's receive ring holds: so each must arrive, whole,
 * in order, and nothing else may, but frames of the cases that go to everybody.
 * The functions below are for the main thread.
 */
#ifndef HOSTILE_NEIGHBOURS_H
#define HOSTILE_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "workers.h"

#define NEIGHBOURS 4 /* two pairs: 0 with 1, 2 with 3 */

struct neighbours;

/*
 * Connects them at `socket`, with these features too. MRG_RXBUF: with small buffers, of which a
 * frame takes up to seven.
 * Each sends one broadcast, so that the switch can learn it.
 * NULL: one of them could not.
 */
struct neighbours *
neighbours_connect(const char *socket, uint64_t features, const struct workers *w);

/* Begins, once the switch has all of their addresses: nothing is flooded then. */
bool neighbours_go(struct neighbours *n);

/*
 * Waits until each has heard something since the last call, stops sending for a moment, waits
 * until all that is under way has arrived, and goes on. NULL if all is well since the start; else
 * what is wrong. *delay_ns: the longest time that a frame was under way since the last call.
 */
const char *neighbours_check(struct neighbours *n, uint64_t *delay_ns);

/*
 * Stops sending until the next check: for cases in which the neighbours' buffers are filled by
 * others, and theirs may be lost.
 */
void neighbours_rest(struct neighbours *n);

/* After neighbours_rest(): waits until all that is under way has arrived. False: something did not. */
bool neighbours_settle(struct neighbours *n);

/* Frames that a resting neighbour has sent, its broadcast too; and that all of them have got. */
uint64_t neighbours_sent(const struct neighbours *n, unsigned i);
uint64_t neighbours_got(const struct neighbours *n);

/* Whether a neighbour saw a frame of the cases with that sequence number, and forget it. */
bool neighbours_saw(struct neighbours *n, uint64_t seq);

const uint8_t *neighbours_mac(const struct neighbours *n, unsigned i);

/* Hangs up. NULL is fine. */
void neighbours_end(struct neighbours *n);

#endif
