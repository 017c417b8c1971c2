/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The way of a burst: fetch, learn, route, deliver, retire.
 *
 * This is the file to read first for the data path. Two passes: route.c looks
 * up the whole burst and groups it by destination; then each destination is
 * visited once. What it had no room for waits in the source's park.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdint.h>

struct lane;
struct port_count;
struct source;

/*
 * Handles what a source has now: frames that wait and are due, then one burst. Returns
 * what that cost (cost.h), 0 if there was nothing to do; no more than about
 * COST_VISIT_MAX. The worker of the lane, which polls the source.
 */
uint32_t forward_poll(struct lane *l, struct source *s);

/*
 * Gives up the frames that wait at a source which is being stopped: counts them
 * as dropped in `count` (the source port's) and gives them back. Only while no
 * worker uses the source.
 */
void forward_release(struct source *s, struct port_count *count);

#endif /* FORWARD_H */
