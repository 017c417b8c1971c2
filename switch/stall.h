/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Charges guests for time that their memory takes, beside the work that is counted (cost.h).
 *
 * The kernel makes a page of a guest's memory when it is first touched. If the worker is the first that
 * touches it, it takes a page fault: a microsecond for an ordinary page, hundreds of them for a hugepage of 2 MiB, and
 * milliseconds if the page was swapped out or is just being taken away. A guest that gives its memory back to the
 * kernel after each buffer makes every frame take such a fault, so its frames take a hundred times as long as
 * their cost says.
 *
 * When work takes longer than it costs, a worker asks the kernel, once a millisecond at most, how many page faults it
 * took. If they were many, or took long, its visits are timed for a while. Then visits that take far longer than their
 * cost, with more page faults than anybody has, have the guest's next visits examined: the frames' bytes are touched
 * before they are copied, which is their sender's time, and what the copy takes is the receiver's. Time beyond the
 * cost is charged to the one whose memory it was. Such guests also get shorter visits, so that none of them lasts long.
 * Looks at rings are timed as well, as a guest without work may take away the page that is looked at.
 *
 * Usually nothing is timed, and this costs an addition and a comparison in each round, and a comparison for each look
 * at a ring. While visits are timed, looks and visits that are not examined read the TSC twice each.
 *
 * All of it belongs to the lane's worker. No locks.
 */
#ifndef STALL_H
#define STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame_set.h"

struct lane;
struct share;
struct source;
struct stall_seen;

/*
 * Returns how many cycles of the time that work took are those of the guest's page faults. There was at least one
 * since `before`.
 */
uint64_t
stall_trust(struct share *share, uint64_t took, struct stall_seen before, struct stall_seen now);

/* Decides if visits are timed from now on. Called between two rounds, when it is due. */
void stall_look(struct lane *l);

/*
 * All others are for a lane whose visits are timed. Begins a visit to a source that has this share; then
 * l->burst.touch.on says if the visit is to be examined. stall_end() ends it; returns what it cost beyond `cost`.
 */
void stall_begin(struct lane *l, const struct source *s, struct share *share);
uint32_t stall_end(struct lane *l, uint32_t cost);

/*
 * Outside of visits: returns true if a source has work, or its share is used up: then it is not looked at. If the look
 * takes a page fault the share is charged for it.
 */
bool stall_has_work(struct lane *l, struct share *share, const struct source *s);

/* In a visit that is examined: returns how many frames may be taken at a time. */
unsigned int stall_most(const struct lane *l);

/*
 * Touches the burst's frames, and charges the visit. Returns how many of them were touched. If that takes long the
 * others were not, and are offered to nobody in this visit, as their receivers would pay for their pages. `fresh`: the
 * frames were just fetched, which has touched where they begin.
 */
unsigned int stall_touch(struct lane *l, bool fresh);

/*
 * Returns the first frames of `want` that may be offered to a port now: all that were touched, unless its memory was
 * slow of late. stall_receiver() charges the port for the time since then, in which it took n frames.
 */
frame_set stall_limit(struct lane *l, uint16_t to, frame_set want);
void stall_receiver(struct lane *l, uint16_t to, unsigned int n);

#endif /* STALL_H */
