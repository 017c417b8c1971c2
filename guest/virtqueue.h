/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue as the data path sees it: a snapshot, taken while the guest is
 * paused, of what librte_vhost knows of one ring, and our private indices.
 *
 * Who writes: librte_vhost's thread while the queue is withdrawn (life.c). While
 * it is published, a transmit queue belongs to the one worker that polls it; a
 * receive queue may be filled by any worker, one at a time under `lock`.
 *
 * The ring formats (split.h; packed rings will stand beside it) know how
 * descriptors are laid out. The policy of what a frame may look like is in tx.c
 * and rx.c, once for every format.
 */
#ifndef GUEST_VIRTQUEUE_H
#define GUEST_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>
#include <rte_spinlock.h>

#include "guest/memory.h"
#include "source.h"

struct worker;

/* Largest virtio-net header: with num_buffers, virtio 1.2 section 5.1.6. */
#define HDR_MAX sizeof(struct virtio_net_hdr_mrg_rxbuf)

struct virtqueue {
	/* All that a poll of an idle ring reads of it stands in this one line. */
	struct vring_avail *avail;
	struct source source; /* a transmit ring as an origin of frames */
	uint16_t last_avail;  /* next available entry to take */
	uint16_t last_used;   /* next used entry to write */
	uint16_t size;        /* entries; a power of two up to 32768 */
	uint8_t hdr_len;      /* 10, or 12 with num_buffers */
	uint8_t fault;        /* enum fault_reason; once set, nothing is touched */
	bool event_idx;       /* VIRTIO_RING_F_EVENT_IDX negotiated */
	bool indirect;        /* VIRTIO_RING_F_INDIRECT_DESC negotiated */
	bool mergeable;       /* VIRTIO_NET_F_MRG_RXBUF negotiated */

	struct vring_desc *desc __rte_cache_aligned;
	struct vring_used *used;
	const struct guest_mem *mem;
	bool signalling;     /* a thread is in the system call for it */
	int callfd;          /* -1: the guest wants no signals */
	uint32_t frame_max;  /* longest frame, bytes */
	rte_spinlock_t lock; /* a receive ring: who fills it now */
} __rte_cache_aligned;

/* Stops a queue whose guest broke the rules; the main lcore will say so. */
static inline void
vq_fault(struct virtqueue *vq, uint8_t reason)
{
	__atomic_store_n(&vq->fault, reason, __ATOMIC_RELAXED);
}

#endif /* GUEST_VIRTQUEUE_H */
