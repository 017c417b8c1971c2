/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Announces a guest that was migrated to this switch, if its driver can't do so by itself
 * (VIRTIO_NET_F_GUEST_ANNOUNCE): on VHOST_USER_SEND_RARP it seems to send a broadcast frame, so
 * that this switch and those beyond the uplink learn where its address is now.
 *
 * A transmit ring with an announcement has other source operations until that one frame is done: they
 * fetch it first, and pass all that concerns other frames on to the ring's own operations (tx.h). Then
 * the ring is as before. So the announcement is learned, routed, counted and kept waiting like any
 * frame of the guest, by the worker that does this for the guest, and rings without one pay nothing.
 *
 * A source of its own would not be simpler. It would need a park (park.h: half a megabyte) for one
 * frame, would have to be removed from its lane by another thread, with a grace period, and until then
 * each round would visit two sources of that guest and not one.
 *
 * librte_vhost's thread asks for it while all transmit rings are withdrawn; then it belongs to the worker that
 * polls the ring.
 */
#ifndef GUEST_ANNOUNCE_H
#define GUEST_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "frame/frame.h"

struct virtqueue;

#define ANNOUNCE_BYTES FRAME_MIN

struct announcement {
	uint64_t last; /* TSC of the last request that was followed */
	bool due;      /* it will be sent when the ring is polled */
	struct fragment frag;
	uint8_t bytes[ANNOUNCE_BYTES];
};

/*
 * Asks for an announcement of `mac`: a RARP request (RFC 903) for the guest's own address, as QEMU
 * itself would send it. A second request within a hundredth of a second is ignored, so that a front
 * end can't flood others with it.
 */
void announce_ask(struct announcement *a, const struct rte_ether_addr *mac);

/* Makes a transmit ring send the announcement first, if it is due. No other ring may have it. */
void announce_arm(struct virtqueue *vq, struct announcement *a);

#endif /* GUEST_ANNOUNCE_H */
