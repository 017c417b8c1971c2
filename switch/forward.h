/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The way of a burst: fetch, route, deliver, settle, retire.
 *
 * This is the file to read first for the data path. Two passes: route.c looks up the whole burst and
 * groups it by destination; then each destination is visited once (deliver.h). What it had no room for
 * waits in the source's park, and is offered again (retry.h).
 *
 * All that it works on belongs to the lane and its worker, except sinks (sink.h).
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdint.h>

struct lane;
struct source;

/*
 * Handles what a source has now: parked frames that are due, then one burst. Returns the cost
 * (cost.h), 0 if there was nothing to do; no more than about COST_VISIT_MAX. Called by the worker
 * of the lane, which polls the source.
 */
uint32_t forward_poll(struct lane *l, struct source *s);

/* The same for a visit that stall_begin() says is to be examined. */
uint32_t forward_poll_examined(struct lane *l, struct source *s);

#endif /* FORWARD_H */
