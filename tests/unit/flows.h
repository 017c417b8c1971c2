/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A guest that receives by several rings, and two that send flows to it. */
#ifndef UNIT_FLOWS_H
#define UNIT_FLOWS_H

#include "rig.h"

#define GUESTS 3
#define MANY 1 /* the guest with several rings; 0 and 2 send */
#define RINGS 4
#define SHORT 60
#define LONG 300 /* takes four buffers */

struct flows {
	struct rig *r;
	struct ring *ring[RINGS]; /* the receive rings of MANY; the first is the rig's own */
	uint16_t next[RINGS];     /* descriptors to offer next */
	struct rx_set other;      /* a second set: they are published by turns */
};

/* What a frame carries: UDP of a flow, and the frame's number in it. */
struct datagram {
	uint8_t eth[14];
	uint8_t ip[20];
	uint16_t port[2]; /* the first one is the flow */
	uint16_t len, sum;
	uint32_t seq;
} __attribute__((packed));

/* Fixtures of a test: all rings are published, with no buffers. */
int flows_setup(void **state);
int flows_teardown(void **state);

/* MANY receives by these rings from now on, of which some may be paused (NULL); or by its first n. */
void flows_publish(struct flows *p, unsigned int n, struct virtqueue *const vq[]);
void flows_publish_all(struct flows *p, unsigned int n);

/* Offers buffers in a ring. */
void flows_offer(struct flows *p, unsigned int ring, unsigned int buffers);

/* Guest `from` sends a frame of a flow to MANY: a short one, or one of `len` bytes. */
void flows_send(struct flows *p, uint16_t from, uint16_t flow, uint32_t seq);
void flows_send_len(struct flows *p, uint16_t from, uint16_t flow, uint32_t seq, uint32_t len);

/* From now on frames of guest `from` come by the transmit ring of this pair, one of `rings`. */
void flows_send_by(struct flows *p, uint16_t from, unsigned int pair, unsigned int rings);

/* Takes the next frame that came in a ring: its first bytes. Returns false if there is none. */
bool flows_take(struct flows *p, unsigned int ring, struct datagram *d);

/* Returns the ring, of n, that a flow of guest `from` goes to. */
unsigned int flows_ring(const struct flows *p, uint16_t from, uint16_t flow, unsigned int n);

/* Returns flow number `which` of those of guest 0 that go to this ring, of RINGS. */
uint16_t flows_number(const struct flows *p, unsigned int ring, unsigned int which);

#endif /* UNIT_FLOWS_H */
