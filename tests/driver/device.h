/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A virtio-net device as its driver has it: one vhost-user connection, guest memory, rings.
 *
 * 	vu_dev_open()	handshake: features, protocol features, owner
 * 	vu_dev_start()	memory table, then each ring: size, base, addresses, event fds, enable
 * 	vu_dev_stop()	disable each ring, GET_VRING_BASE
 * 	vu_dev_close()
 *
 * Tests that want another order call the steps one by one. Every message goes through
 * vu_dev_request(), which asks for an acknowledgement wherever REPLY_ACK allows it, so a refusal
 * (-EREMOTEIO) is seen where it happens.
 *
 * Ring 2q is the device's receive ring of queue pair q (it writes there), 2q + 1 the transmit
 * ring. One thread per device.
 */
#ifndef DRIVER_DEVICE_H
#define DRIVER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "vhost_user.h"
#include "vring.h"

#define VU_PAIRS_MAX 16
#define VU_RINGS_MAX (2 * VU_PAIRS_MAX)

/* Which messages carry NEED_REPLY once REPLY_ACK is negotiated. */
enum vu_ack {
	VU_ACK_SETS,  /* messages that have no answer of their own */
	VU_ACK_ALL,   /* also messages that have one: it must come once all the same */
	VU_ACK_NEVER, /* none: REPLY_ACK was negotiated for the back end's requests alone */
};

struct vu_dev_opts {
	uint64_t features; /* wanted; negotiated is what is offered of them */
	uint64_t protocol; /* likewise. Needs VU_F_PROTOCOL_FEATURES among the features */
	unsigned n_pairs;  /* queue pairs; 0: 1 */
	uint16_t rx_size;  /* ring sizes; 0: 256. Split rings: powers of two */
	uint16_t tx_size;
	struct vu_mem_opts mem;
	int timeout_ms; /* for each answer; 0: 30000 */
	enum vu_ack acks;
	bool owner_first; /* SET_OWNER comes first of all messages, not just before SET_FEATURES */
	bool unset; /* SET_PROTOCOL_FEATURES is never sent, though its feature is negotiated */
};

struct vu_dev {
	int sock;
	int timeout_ms;
	uint64_t offered;  /* by the back end */
	uint64_t features; /* negotiated */
	uint64_t offered_protocol;
	uint64_t protocol;
	bool ack;     /* ask for acknowledgements; set when REPLY_ACK is negotiated */
	bool ack_all; /* also with messages that have an answer */
	bool started;
	struct vu_mem mem;
	struct vr_ring ring[VU_RINGS_MAX];
	unsigned n_rings;
	uint64_t queue_num; /* queue pairs that the back end says it has; 1 if it did not say */
};

/*
 * More than one queue pair needs MQ among the features and the protocol features. If the back end
 * lacks it, the device has one; if the back end has fewer (GET_QUEUE_NUM), the device has as many.
 *
 * Takes over the connected socket `sock`, negotiates, makes memory and empty rings: in
 * region i % regions for ring i. On failure everything is released, the socket too.
 */
int vu_dev_open(struct vu_dev *dev, int sock, const struct vu_dev_opts *opts);

/* Makes memory and rings alone. All wanted features count as negotiated, and nobody is at the other end. */
int vu_dev_open_unconnected(struct vu_dev *dev, const struct vu_dev_opts *opts);

int vu_dev_start(struct vu_dev *dev);

/* `base`: n_rings bases (low halves) as the back end gave them; may be NULL. */
int vu_dev_stop(struct vu_dev *dev, uint16_t *base);

/* Hangs up (without a goodbye, like a killed guest) and frees everything. Idempotent. */
void vu_dev_close(struct vu_dev *dev);

/*
 * Restarts a guest that keeps its memory and connection: features are negotiated again, rings are
 * emptied. For a device that is stopped.
 */
int vu_dev_renegotiate(struct vu_dev *dev, uint64_t features);

/*
 * Moves a guest, as by a migration: the stopped device goes to another back end or another
 * connection, with copies of its memory at the same addresses of this process. *sock is the new
 * socket, and afterwards the old one; fd[] gets the old memory's files, one for each region. Both
 * are the caller's to close. vu_dev_start() comes next. After a failure the device can only be
 * closed.
 */
int vu_dev_move(struct vu_dev *dev, int *sock, int *fd);

/* The steps of which the above are made. */

/*
 * Sends, and waits for the acknowledgement if one can be had. -EREMOTEIO: refused.
 * For messages that have no answer of their own.
 */
int vu_dev_request(struct vu_dev *dev, struct vu_msg *msg);

/* For messages that have one: the answer replaces the message. Close its file descriptors, if any. */
int vu_dev_query(struct vu_dev *dev, struct vu_msg *msg);

int vu_dev_query_u64(struct vu_dev *dev, uint32_t request, uint64_t *value);

/*
 * Waits until the back end has handled all that was sent: messages are handled in order, so the
 * answer to GET_FEATURES shows it.
 */
int vu_dev_sync(struct vu_dev *dev);

int vu_dev_set_features(struct vu_dev *dev, uint64_t features);

/* The memory table as dev->mem has it now. For use while running too. */
int vu_dev_set_mem(struct vu_dev *dev);

/*
 * Sets a dirty log: `size` bytes from `offset` on of a new file of `file` bytes. *fd is
 * the file, which the caller closes, also after a failure; -1 if there is none. This message is
 * answered whether that was asked for or not.
 */
int vu_dev_set_log(struct vu_dev *dev, uint64_t file, uint64_t size, uint64_t offset, int *fd);

int vu_dev_set_vring_addr(struct vu_dev *dev, unsigned ring);

/* SET_VRING_CALL, _KICK or _ERR. */
int vu_dev_set_fd(struct vu_dev *dev, uint32_t request, unsigned ring, int fd);

int vu_dev_set_vring_enable(struct vu_dev *dev, unsigned ring, bool on);

/* Without the enable message. */
int vu_dev_setup_ring(struct vu_dev *dev, unsigned ring);

int vu_dev_get_vring_base(struct vu_dev *dev, unsigned ring, uint16_t *base);

/* Setup and enable. */
int vu_dev_start_ring(struct vu_dev *dev, unsigned ring);

/* Disable and GET_VRING_BASE. */
int vu_dev_stop_ring(struct vu_dev *dev, unsigned ring, uint16_t *base);

static inline struct vr_ring *
vu_dev_rx(struct vu_dev *dev, unsigned pair)
{
	return &dev->ring[2 * pair];
}

static inline struct vr_ring *
vu_dev_tx(struct vu_dev *dev, unsigned pair)
{
	return &dev->ring[2 * pair + 1];
}

#endif
