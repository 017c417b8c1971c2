/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Announcing a guest that was migrated to this switch, if its driver can't do so by
 * itself (VIRTIO_NET_F_GUEST_ANNOUNCE): on VHOST_USER_SEND_RARP it seems to send a broadcast
 * frame, so that this switch and those behind the uplink learn where its address is now.
 *
 * A transmit ring with an announcement to make has another source of frames in front of
 * its own, which yields that one frame; once it is done with, the ring is as before.
 * Rings that have none pay nothing.
 *
 * librte_vhost's thread asks, while the ring is withdrawn; then it is the worker's that
 * polls the ring.
 */
#ifndef GUEST_ANNOUNCE_H
#define GUEST_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "frame/frame.h"

struct virtqueue;

#define ANNOUNCE_BYTES 60 /* the shortest frame, less its checksum */

struct announcement {
	uint64_t last; /* TSC: when one was asked for, and not too soon after another */
	bool due;      /* it is to be sent once the ring is polled */
	struct fragment frag;
	uint8_t bytes[ANNOUNCE_BYTES];
};

/*
 * Asks for an announcement of `mac`: a request of RARP (RFC 903) for the guest's own address,
 * which is what QEMU announces by itself. Asked for again within a hundredth of a second
 * it is not repeated, so that a front end can't flood others by it.
 */
void announce_ask(struct announcement *a, const struct rte_ether_addr *mac);

/* Puts the announcement in front of a transmit ring, if it is due. */
void announce_arm(struct virtqueue *vq, struct announcement *a);

#endif /* GUEST_ANNOUNCE_H */
