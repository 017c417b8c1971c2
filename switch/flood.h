/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Frames that go to many ports. route.c says which these are, frame by frame; the ports are found once a
 * burst, as there may be many.
 *
 * What it writes belongs to the lane. Called by the worker that fetched the burst.
 */
#ifndef FLOOD_H
#define FLOOD_H

#include <stdint.h>

#include "frame/frame_set.h"

struct frame;
struct lane;
struct source;

/* Notes that a frame of the burst goes to all devices with a tag on the uplink. */
void flood_to_tag(struct lane *l, const struct frame *f, uint16_t vid);

/* Notes that a frame of the burst, which is flooded, must not go to a port. */
void flood_but(struct lane *l, const struct frame *f, uint16_t port);

/*
 * Adds the ports for frames that were noted with a tag, and every port except the sender's for `all`; then
 * takes those away that were noted. A frame for which none remains gets its drop reason.
 */
void flood_burst(struct lane *l, const struct source *s, frame_set all);

#endif /* FLOOD_H */
