/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Offloads: work that a guest leaves to others when it transmits (virtio 1.2 section 5.1.6.2),
 * checked against the frame's bytes.
 *
 * A frame's headers are read once, with the fetch of its burst, into the burst's struct headers.
 * They are checked there and used from there, also where the frame goes on with its offload. So the
 * virtio-net header that a receiver gets fits the frame, whatever the sender writes meanwhile. A
 * receiver without the feature gets complete frames: see checksum.h and gso.h.
 *
 * No state of its own: called by the worker that has the frame.
 */
#ifndef OFFLOAD_H
#define OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include "frame/drops.h"
#include "frame/frame.h"

/* Segmentation of UDP (virtio 1.2 section 5.1.3), which Linux' headers before 6.2 lack. */
#define OFFLOAD_F_GUEST_USO4 54
#define OFFLOAD_F_GUEST_USO6 55
#define OFFLOAD_F_HOST_USO 56
#define OFFLOAD_GSO_UDP_L4 5 /* gso_type */

/*
 * Sets of these say what is left to do for a frame (frame.offload), what a guest may leave to us,
 * and what a guest does itself for the frames that it receives (virtqueue.offloads).
 */
enum offload {
	OFFLOAD_CSUM = 1 << 0, /* a checksum, of which only the pseudo header's is there */
	OFFLOAD_TSO4 = 1 << 1, /* TCP over IPv4, to be cut into segments */
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_ECN = 1 << 3,  /* TCP over either, whose first segment alone gets CWR */
	OFFLOAD_USO4 = 1 << 4, /* UDP over IPv4, to be cut into datagrams */
	OFFLOAD_USO6 = 1 << 5,
};
#define OFFLOAD_GSO (OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_USO4 | OFFLOAD_USO6)

/* Longest frame that may be cut: an IP packet of 65,535 bytes, and its VLAN tags. */
#define OFFLOAD_FRAME_MAX (65535u + RTE_ETHER_HDR_LEN + FRAME_TAGS_MAX * RTE_VLAN_HLEN)

/*
 * Most segments that a frame may be cut into: 64 KiB in segments of 48 bytes, the smallest that
 * Linux makes. So no guest can make a worker cut one frame into 65,000.
 */
#define OFFLOAD_SEGMENTS_MAX 1366

/* Offloads that a driver may use when it transmits, or takes when it receives, by its features. */
uint8_t offload_may_send(uint64_t features);
uint8_t offload_may_receive(uint64_t features);

/* The features of the switch with --tx-csum 1, and those that --tso 1 adds. */
extern const uint64_t offload_csum_features, offload_tso_features;

/* The features of --tso 1 that librte_vhost does not know; see guest/dispatch.c. */
extern const uint64_t offload_uso_features;

/* The features by which a driver only leaves work to the switch: they may be allowed unasked. */
extern const uint64_t offload_host_features;

/* Returns true if a header asks for anything. */
static inline bool
offload_asked(const struct virtio_net_hdr *h)
{
	return ((h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) | h->gso_type) != 0;
}

/*
 * Checks the header *asked of a frame. The frame's bytes are set, without the virtio-net header;
 * its sender may use the offloads `may`. *h gets the private copy of its headers. The frame's eth,
 * vnet, offload and headers are set. No resulting frame may be longer than `frame_max`. Returns the
 * reason to drop it, or DROP_NONE.
 */
enum drop_reason offload_check(struct frame *f, const struct virtio_net_hdr *asked,
		struct headers *h, uint8_t may, uint32_t frame_max);

/*
 * Returns the number of frames that a frame with offloads is cut into; 1 if only a checksum is
 * missing.
 */
static inline uint32_t
offload_frames(const struct frame *f)
{
	uint32_t payload = f->len - f->headers->len;

	if (!(f->offload & OFFLOAD_GSO) || payload <= f->vnet.gso_size)
		return 1;
	return (payload + f->vnet.gso_size - 1) / f->vnet.gso_size;
}

#endif /* OFFLOAD_H */
