/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The queue of requests to learn: see learn.h for the contract. */
#include <rte_ring_elem.h>

#include "base/wake.h"
#include "switch/learn.h"

/* Requests that may wait: 16 from each of 256 guests (LEARN_CREDIT in route.c). */
#define REQUESTS 4096

bool
learn_init(struct learn_queue *q, struct wake *wake)
{
	q->wake = wake;
	q->requests = rte_ring_create_elem("requests", sizeof(struct learn_request), REQUESTS,
			SOCKET_ID_ANY, RING_F_SC_DEQ);
	return q->requests != NULL;
}

void
learn_free(struct learn_queue *q)
{
	rte_ring_free(q->requests);
	q->requests = NULL;
}

void
learn_ask(struct learn_queue *q, const struct learn_request *r)
{
	struct learn_request copy = *r; /* the library's parameter is not constant */

	if (rte_ring_enqueue_elem(q->requests, &copy, sizeof(copy)) == 0)
		wake_up(q->wake);
}

bool
learn_take(struct learn_queue *q, struct learn_request *r)
{
	return rte_ring_dequeue_elem(q->requests, r, sizeof(*r)) == 0;
}
