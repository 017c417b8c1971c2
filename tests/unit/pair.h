/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A sender's ring, a receiver's ring, and what a worker has between them. */
#ifndef UNIT_PAIR_H
#define UNIT_PAIR_H

#include "guest/rx.h"
#include "guest/split.h"
#include "ring.h"
#include "run/stats.h"

/* Entries of each ring; the header of virtio 1. */
#define SIZE 256
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))

struct pair {
	struct ring *tx, *rx;
	struct burst burst;
	struct port_count count;
	struct rte_ether_addr to, from;
};

/* Fixtures of a test. Both rings begin just before their indices wrap. */
int pair_setup(void **state);
int pair_teardown(void **state);

/* The calls that forwarding makes. */
unsigned int pair_fetch(struct pair *p, unsigned int max);
void pair_retire(struct pair *p, uint64_t mask);
struct outcome pair_deliver(struct pair *p, uint64_t want);

/* The sender offers a frame of `len` bytes in descriptor i; its length is its seed. */
void pair_send(struct pair *p, uint16_t i, uint32_t len);

#endif /* UNIT_PAIR_H */
