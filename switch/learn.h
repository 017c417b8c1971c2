/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Requests of workers to the main lcore, which is the only writer of the forwarding table, to learn
 * an address.
 *
 * Any worker asks; only the main lcore takes requests.
 */
#ifndef LEARN_H
#define LEARN_H

#include <stdbool.h>
#include <stdint.h>

struct rte_ring;
struct wake;

/* A request to learn that an address is at a port. */
struct learn_request {
	uint64_t key;   /* see fdb_key() */
	uint32_t epoch; /* epoch of the port at the time of the request */
	uint16_t port;
	uint16_t unused;
};

struct learn_queue {
	struct rte_ring *requests;
	struct wake *wake; /* wakes the main lcore */
};

/* Returns true if there was memory for it. Main lcore, at start. */
bool learn_init(struct learn_queue *q, struct wake *wake);

void learn_free(struct learn_queue *q);

/*
 * Adds a request. If there is no room it is lost, and made again with the next frame. Any worker.
 */
void learn_ask(struct learn_queue *q, const struct learn_request *r);

/* Takes the next request. Returns false if there is none. Main lcore. */
bool learn_take(struct learn_queue *q, struct learn_request *r);

#endif /* LEARN_H */
