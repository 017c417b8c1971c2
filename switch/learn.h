/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What workers ask the main lcore to learn: it is the one writer of the table of addresses.
 *
 * Any worker asks; the main lcore alone takes.
 */
#ifndef LEARN_H
#define LEARN_H

#include <stdbool.h>
#include <stdint.h>

struct rte_ring;
struct wake;

/* That an address is at a port. */
struct learn_request {
	uint64_t key;   /* see fdb_key() */
	uint32_t epoch; /* of the port when it asked */
	uint16_t port;
	uint16_t unused;
};

struct learn_queue {
	struct rte_ring *requests;
	struct wake *wake; /* of who takes them */
};

/* Returns true if there was memory for it. Main lcore, at start. */
bool learn_init(struct learn_queue *q, struct wake *wake);

void learn_free(struct learn_queue *q);

/* Asks; a request that finds no room is lost, and made again with the next frame. Any worker. */
void learn_ask(struct learn_queue *q, const struct learn_request *r);

/* Takes the next request. False: there is none. Main lcore. */
bool learn_take(struct learn_queue *q, struct learn_request *r);

#endif /* LEARN_H */
