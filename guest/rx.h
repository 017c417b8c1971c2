/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Fills a guest's receive ring: see rx.c. */
#ifndef GUEST_RX_H
#define GUEST_RX_H

#include <stdint.h>

#include "frame/frame.h"

struct port_count;
struct virtqueue;

/*
 * Copies the frames of `want` into the ring, in order, until it has no room for the next one. A
 * frame that can never fit is refused, with its reason in the frame. Counts what was sent. Any
 * worker.
 */
struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, frame_set want, struct port_count *count);

#endif /* GUEST_RX_H */
