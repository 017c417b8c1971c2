/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A test rig with all that frames go through: ports with rings in plain memory, the forwarding table,
 * one lane. No thread runs: the test plays the worker and the main lcore. Needs EAL.
 */
#ifndef UNIT_RIG_H
#define UNIT_RIG_H

#include "base/wake.h"
#include "conf/conf.h"
#include "guest/sink.h"
#include "ring.h"
#include "switch/fdb.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/learn.h"
#include "switch/port.h"

#define RIG_RING 1024 /* entries of each ring */

struct rig {
	struct conf conf;
	struct wake wake;
	struct ports ports;
	struct fdb *fdb;
	struct learn_queue learn;
	struct lanes lanes;
	struct lane *lane; /* the one of `lanes` */
	struct ring *tx[GUEST_MAX], *rx[GUEST_MAX];
	struct rx_set set
			[GUEST_MAX]; /* what each guest receives by: rx[], unless the test changes it */
	unsigned int guests;
	struct rte_ether_addr mac[GUEST_MAX];            /* of each guest: mac_of(i, 0) */
	uint16_t tx_next[GUEST_MAX], rx_next[GUEST_MAX]; /* descriptors to use next */
};

/*
 * Makes a rig with guests on ports 0 and on, and default options. A frame that finds no room waits
 * until rig_expire(), and is tried again at each poll.
 */
struct rig *rig_create(unsigned int guests);

/*
 * For when no frame waits: the sums of the first `ports` ports must agree. At each port received =
 * delivered + dropped; over all of them sent = delivered + flooded.
 */
void rig_check_sums(const struct rig *r, unsigned int ports);

/* The same, with the address of each guest in the table. */
struct rig *rig_create_known(unsigned int guests);

/* Ends it: drops frames that still wait, and checks that the sums agree. */
void rig_destroy(struct rig *r);

/* The same for cmocka, whose state is the rig: of RIG_GUESTS guests whose addresses are in the table. */
#define RIG_GUESTS 4
int rig_setup(void **state);
int rig_teardown(void **state);

/* Puts an address into the table, as the main lcore does. */
void rig_learn(struct rig *r, uint16_t port, const struct rte_ether_addr *mac);

/* Takes a request to learn from the queue. Returns false if there is none. */
bool rig_request(struct rig *r, struct learn_request *q);

/* Guest `port` sends a frame with its address 0, or offers an empty buffer. */
uint8_t *rig_send(struct rig *r, uint16_t port, const struct rte_ether_addr *to, uint32_t len,
		uint32_t seed);
void rig_offer(struct rig *r, uint16_t port, unsigned int buffers);

/* The worker looks at what a guest sends. */
void rig_poll(struct rig *r, uint16_t port);

/* Lets the time be over for all frames of a guest that wait. */
void rig_expire(struct rig *r, uint16_t port);

/* Takes the next frame that a guest received. Returns NULL if there is none. Valid until the next rig_offer(). */
const uint8_t *rig_take(struct rig *r, uint16_t port, uint32_t *len);

/* The next frame at `to` must be what rig_send() put into `from`; or there must be none. */
void rig_expect(struct rig *r, uint16_t to, uint16_t from, const struct rte_ether_addr *dst,
		uint32_t len, uint32_t seed);
void rig_expect_none(struct rig *r, uint16_t port);

/* Frames that the guest sent and has not got back; and those of them that wait for room. */
unsigned int rig_owed(const struct rig *r, uint16_t port);
unsigned int rig_parked(const struct rig *r, uint16_t port);

static inline struct port_count *
rig_count(struct rig *r, uint16_t port)
{
	return &r->lane->count[port];
}

#endif /* UNIT_RIG_H */
