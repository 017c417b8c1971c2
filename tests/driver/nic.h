/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A network card as a well-behaved guest's driver has it: frames go out, frames come in, each
 * copied once on the way. All queue pairs of a device (device.h) with buffers posted.
 *
 * Made for tests, where being right and checking everything counts more than speed; the load
 * generator's fast modes work on the rings directly. One thread per card.
 */
#ifndef DRIVER_NIC_H
#define DRIVER_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

#define NIC_DESCS_MAX 16

struct nic_opts {
	struct vu_dev_opts dev; /* mem.region_size 0: as much as the buffers need */
	uint32_t rx_buf_size;   /* with header; 0: 1530, what a frame of 1518 bytes needs */
	uint32_t tx_buf_size;   /* with header; 0: 9216, a jumbo frame */
	unsigned rx_bufs;       /* of each pair. 0: as many as the ring takes */
	unsigned tx_bufs;       /* of each pair. 0: as many as the ring takes, at most 256 */
	bool rx_header_apart;   /* a descriptor of its own for the header, as legacy drivers do */
	const char *order; /* of the messages that start it: see order.h. NULL: vu_dev_start() */
};

/* How a frame to send is laid out in descriptors. All zero: in one. */
struct nic_layout {
	unsigned descs; /* that the frame is cut into; 0 and 1: one */
	bool header_apart;
	bool indirect; /* needs INDIRECT_DESC */
};

struct nic_pair {
	struct vr_ring *rx;
	struct vr_ring *tx;
	uint8_t **tx_free; /* stack of free transmit buffers */
	unsigned n_tx_free;
	unsigned n_tx_bufs;
};

struct nic {
	struct vu_dev dev;
	struct nic_pair pair[VU_PAIRS_MAX];
	unsigned n_pairs;
	unsigned tx_pair;   /* frames are sent by this pair; the caller sets it */
	unsigned rx_pair;   /* the pair by which the last frame was received */
	struct vr_ring *rx; /* of pair 0 */
	struct vr_ring *tx;
	unsigned hdr_len;
	uint32_t rx_buf_size;
	uint32_t tx_buf_size;
	bool rx_header_apart;
	bool wants_calls;         /* keep the receive rings' calls armed */
	struct vr_net_hdr rx_hdr; /* of the frame received last, as the device wrote it */
	unsigned rx_merged;       /* buffers that it took */
};

/* Opens a card on the connected socket `sock`: handshake, start, receive buffers posted. */
int nic_open(struct nic *nic, int sock, const struct nic_opts *opts);

/*
 * Makes memory, rings and posted buffers; all wanted features count as negotiated. For callers that
 * tell a back end about them in another way than over a socket.
 */
int nic_open_unconnected(struct nic *nic, const struct nic_opts *opts);

/* Hangs up with everything as it is. Idempotent after a successful nic_open(). */
void nic_close(struct nic *nic);

/* Reboots: stops the rings in order, empties them, negotiates again and starts. */
int nic_reboot(struct nic *nic, uint64_t features, const struct nic_opts *opts);

/* Sends an Ethernet frame, without FCS. -ENOBUFS if the ring is full: nothing was sent. */
int nic_send(struct nic *nic, const void *frame, size_t len, const struct nic_layout *how);

/* The same with this header of 10 or 12 bytes (NULL: all zero). The frame is not made available yet. */
int nic_queue(struct nic *nic, const struct vr_net_hdr *hdr, const void *frame, size_t len,
		const struct nic_layout *how);

/* Makes available what was queued, and kicks. */
void nic_flush(struct nic *nic);

/* Reclaims buffers of frames that the device has taken. Returns how many, or -EPROTO. */
int nic_reclaim(struct nic *nic);

/* Returns how many frames, sent or queued, the device has not given back, as of the last nic_reclaim(). */
unsigned nic_in_flight(const struct nic *nic);

/* Wait until all that was sent has been taken by the device. */
int nic_drain(struct nic *nic, int timeout_ms);

/*
 * Takes the next frame. Returns its length, 0 if there is none, -EPROTO if the device broke the
 * ring's rules, -EMSGSIZE if the frame is longer than `room`. The buffers are posted again. Receive
 * rings are looked at by turns.
 */
int nic_recv(struct nic *nic, void *frame, size_t room);

/* Waits for one; -ETIMEDOUT. */
int nic_recv_wait(struct nic *nic, void *frame, size_t room, int timeout_ms);

#endif
