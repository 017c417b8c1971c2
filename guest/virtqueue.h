/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A virtqueue as the data path sees it: a snapshot of what librte_vhost knows of one ring, taken
 * while the guest is paused, and our private indices.
 *
 * librte_vhost's thread writes it while the queue is withdrawn (guest.c). While it is published, a
 * transmit queue belongs to the one worker that polls it; any worker may fill a receive queue, one
 * at a time under its lock, or several at a time by leases (lease.h).
 *
 * The ring formats (split.h, packed.h) know how descriptors are laid out. tx.c and rx.c have the
 * policy of what a frame may look like, once for both.
 */
#ifndef GUEST_VIRTQUEUE_H
#define GUEST_VIRTQUEUE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_spinlock.h>

#include "base/atomic.h"
#include "guest/fault_reason.h"
#include "guest/memory.h"
#include "guest/signal.h"
#include "switch/source.h"

struct announcement;
struct in_order;

/* Leases of a ring at a time: as many as `done` and `wraps` have bits. A further worker waits for its turn. */
#define LEASES_MAX 8

/*
 * The parts of a receive ring that workers fill while they do not hold its lock, oldest first: n of
 * them, from `first` on and round. See lease.h.
 */
struct leases {
	rte_spinlock_t lock; /* of a receive ring: held to fill it, and to begin or end a lease */
	uint16_t contended;  /* number of bursts for which leases are still taken */
	uint8_t first;       /* index of the oldest lease */
	uint8_t n;           /* number of leases */
	uint8_t done;        /* bit i: lease i has ended, and an earlier one has not */
	uint8_t wraps;       /* packed: bit i: wrap counter of to[i] */
	uint16_t shown;      /* used position up to which the guest sees all */
	uint16_t to[LEASES_MAX]; /* used position at which each lease ends */
};

/* What is needed to return a chain to the guest. */
struct used_chain {
	uint16_t id;    /* split: head descriptor; packed: buffer id */
	uint16_t ndesc; /* packed: descriptors of the ring that it took */
};

/* Largest virtio-net header: with num_buffers, virtio 1.2 section 5.1.6. */
#define HDR_MAX sizeof(struct virtio_net_hdr_mrg_rxbuf)

/* Result of a search for room in a receive ring that failed. */
struct room_known {
	bool valid;
	bool never;     /* more chains do not help */
	bool wrap;      /* packed: wrap counter of `at` */
	bool end_wrap;  /* packed: wrap counter of `end` */
	uint16_t at;    /* last_avail when the search began */
	uint16_t end;   /* first entry that the search did not read */
	uint32_t bytes; /* bytes that the chains from `at` to `end` hold */
};

/*
 * Two members change while a worker uses the ring: vq_broken() and vq_logging() read them. `fault`
 * is set by any thread: a worker that sees it late goes on for a burst, as it would have a moment
 * before. `logging` is switched by librte_vhost's thread, with a grace period before the front end
 * is told: pages written until then are in the log, or are copied with all others (dirty_switch.h).
 */
struct virtqueue {
	/* A poll of an idle ring reads only this cache line. */
	union {
		struct vring_avail *avail;      /* split */
		struct vring_packed_desc *ring; /* packed */
	};
	struct source source; /* a transmit ring as a source of frames */
	uint16_t size;        /* number of entries, up to 32768; a power of two in split rings */
	uint8_t hdr_len;      /* 10, or 12 with num_buffers */
	uint8_t fault;        /* enum fault_reason; once set, nothing is touched */
	bool packed;          /* VIRTIO_F_RING_PACKED negotiated */
	bool event_idx;       /* VIRTIO_RING_F_EVENT_IDX negotiated */
	bool indirect;        /* VIRTIO_RING_F_INDIRECT_DESC negotiated */
	bool mergeable;       /* VIRTIO_NET_F_MRG_RXBUF negotiated */
	bool logging;         /* VHOST_F_LOG_ALL: writes are noted; see dirty_log.h */
	uint8_t offloads; /* set of enum offload that its driver may send, or takes; see offload.h */
	bool avx2;        /* AVX2 may be used; see singles.h */

	const struct guest_mem *mem __rte_cache_aligned;
	union {
		struct vring_desc *desc;                            /* split */
		const struct vring_packed_desc_event *driver_event; /* packed */
	};
	union {
		struct vring_used *used;                      /* split */
		struct vring_packed_desc_event *device_event; /* packed */
	};
	struct in_order *in_order; /* a transmit ring with VIRTIO_F_IN_ORDER; else NULL */
	/* The announcement of a transmit ring's guest. */
	struct announcement *announcement;
	uint32_t frame_max; /* longest frame, bytes */
	int callfd;         /* -1: the guest wants no signals */
	int kickfd;         /* of a transmit ring, an eventfd; -1: its driver can't wake us */
	bool callsocket;    /* callfd is a socket, and no eventfd */

	/*
	 * Each burst changes what is in this line, and nothing in the two before it: so workers that
	 * fill one receive ring take a single line from each other.
	 */
	uint16_t last_avail __rte_cache_aligned; /* position of the next available entry to take */
	uint16_t last_used; /* position of the next used entry that is neither written nor leased */
	bool avail_wrap;    /* packed: wrap counter of last_avail */
	bool used_wrap;     /* packed: wrap counter of last_used */
	bool hidden;        /* packed: hidden_half is valid */
	uint16_t hidden_at; /* packed: position for hidden_half */
	uint64_t hidden_half; /* packed: the first chain that was put and not published */
	struct leases leases;

	/* The members from here on are for receive rings, and seldom used. */
	struct room_known known __rte_cache_aligned;
	uint16_t useless_at; /* last_used when a chain was last returned because nothing fits into it */
	uint32_t useless; /* chains in a row that were returned because nothing fits into them */
} __rte_cache_aligned;

/* A poll of an idle ring reads its first line alone: 64 bytes, though DPDK spaces data by 128 on arm64. */
static_assert(offsetof(struct virtqueue, avx2) < RTE_CACHE_LINE_MIN_SIZE, "struct virtqueue");
static_assert(offsetof(struct virtqueue, known) - offsetof(struct virtqueue, last_avail) ==
				RTE_CACHE_LINE_SIZE,
		"struct virtqueue");

/* Stops a queue whose guest broke the rules; the main lcore will log that. */
static inline void
vq_fault(struct virtqueue *vq, uint8_t reason)
{
	store_relaxed(&vq->fault, reason);
}

/* Returns true if the queue was stopped. */
static inline bool
vq_broken(const struct virtqueue *vq)
{
	return load_relaxed(&vq->fault) != FAULT_NONE;
}

/*
 * Returns true if writes have to be noted; the log is then visible to this thread, too. If it is
 * off, as usual, the load orders nothing, as it is done for each frame.
 */
static inline bool
vq_logging(const struct virtqueue *vq)
{
	return unlikely(load_relaxed(&vq->logging)) && load_acquire(&vq->logging);
}

/* Signals the guest; if its eventfd blocks, the guest is stopped. */
static inline void
vq_signal(struct virtqueue *vq)
{
	if (unlikely(vq->callsocket))
		signal_socket(vq->callfd);
	else if (unlikely(!signal_guest(vq->callfd)))
		vq_fault(vq, FAULT_CALLFD);
}

#endif /* GUEST_VIRTQUEUE_H */
