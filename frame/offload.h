/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Offloads: what a guest leaves to others when it transmits (virtio 1.2 section 5.1.6.2),
 * checked against the bytes that are there.
 *
 * A frame's header is read once, with the fetch of its burst, into the burst's
 * struct headers; it is checked there and used from there, also where the frame goes on
 * with its offload. So what a receiver is told of a frame fits the frame, whatever the
 * sender writes meanwhile. A receiver that took no such feature gets frames that are
 * finished: see gso.h.
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

/* What Linux' headers before 6.2 lack: segmentation of UDP (virtio 1.2 section 5.1.3). */
#define OFFLOAD_F_GUEST_USO4 54
#define OFFLOAD_F_GUEST_USO6 55
#define OFFLOAD_F_HOST_USO 56
#define OFFLOAD_GSO_UDP_L4 5 /* gso_type */

/*
 * What is left to do for a frame (frame.offload), what a guest may leave to us, and what a
 * guest does itself with what it receives (virtqueue.offloads): sets of these.
 */
enum offload {
	OFFLOAD_CSUM = 1 << 0, /* a checksum, of which only the pseudo header's is there */
	OFFLOAD_TSO4 = 1 << 1, /* TCP over IPv4, to be cut into segments */
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_ECN = 1 << 3,  /* ... whose first one alone has CWR set */
	OFFLOAD_USO4 = 1 << 4, /* UDP over IPv4, to be cut into datagrams */
	OFFLOAD_USO6 = 1 << 5,
};
#define OFFLOAD_GSO (OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_USO4 | OFFLOAD_USO6)

/* Longest frame that is to be cut: an IP packet of 65,535 bytes, and its VLAN tags. */
#define OFFLOAD_FRAME_MAX (65535u + RTE_ETHER_HDR_LEN + FRAME_TAGS_MAX * RTE_VLAN_HLEN)

/*
 * Frames that one may be cut into: 64 KiB in segments of 48 bytes, the smallest that Linux
 * makes. So no guest can have a worker make 65,000 frames from one.
 */
#define OFFLOAD_SEGMENTS_MAX 1366

/* Offloads that a driver may use when it transmits, or takes when it receives, by its features. */
uint8_t offload_may_send(uint64_t features);
uint8_t offload_may_receive(uint64_t features);

/* The features of the switch with --tx-csum 1, and those that --tso 1 adds. */
extern const uint64_t offload_csum_features, offload_tso_features;

/* ... and those of them that librte_vhost does not know; see guest_features(). */
extern const uint64_t offload_uso_features;

/* Those of them by which a driver only leaves work to the switch: harmless to allow unasked. */
extern const uint64_t offload_host_features;

/* Whether a header asks for anything. */
static inline bool
offload_asked(const struct virtio_net_hdr *h)
{
	return ((h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) | h->gso_type) != 0;
}

/*
 * Checks header *asked of a frame, whose bytes are in place but for its virtio-net
 * header, and whose sender may use the offloads `may`. *h gets the private copy of its
 * headers. The frame's eth, vnet, offload and headers are set. No frame in the end may be
 * longer than `frame_max`. Returns why it is to be dropped, or DROP_NONE.
 */
enum drop_reason offload_check(struct frame *f, const struct virtio_net_hdr *asked,
		struct headers *h, uint8_t may, uint32_t frame_max);

/* Frames that a frame with offloads is cut into; 1 if there is only a checksum to do. */
static inline uint32_t
offload_frames(const struct frame *f)
{
	uint32_t payload = f->len - f->headers->len;

	if (!(f->offload & OFFLOAD_GSO) || payload <= f->vnet.gso_size)
		return 1;
	return (payload + f->vnet.gso_size - 1) / f->vnet.gso_size;
}

#endif /* OFFLOAD_H */
