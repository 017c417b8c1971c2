/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The honest guests beside a hostile one: two guests of a rig (rig.h) that exchange frames all
 * the time, and whose memory nobody else may touch.
 *
 * ASan reports every access to their memory outside the buffers that they have offered: no byte can
 * be overwritten or leaked unseen. What arrives must be whole.
 */
#ifndef FUZZ_HONEST_H
#define FUZZ_HONEST_H

#include "fuzz.h"
#include "rig.h"

#define HONEST 2            /* guests, with ports 0 and 1 */
#define HOSTILE_PORT HONEST /* the port of the other guest */

struct honest {
	struct rig *r;
	/* Frames from port i to the other, oldest first: by length, which is the seed too. */
	unsigned int nsent[HONEST], ngot[HONEST];
	uint32_t sent[HONEST][64];
};

void honest_create(struct honest *h);

/* Resets everything for the next input. */
void honest_reset(struct honest *h);

/* Port `port` offers `n` receive buffers, as far as its ring and its memory last. */
void honest_offer(struct honest *h, uint16_t port, unsigned int n);

/* Port `port` sends a frame to any address. A frame to the other honest guest must arrive. */
void honest_send(struct honest *h, uint16_t port, const struct rte_ether_addr *to, uint32_t len);

/* A worker polls one source, in a round of its own. */
void honest_poll(struct honest *h, struct source *s);

/* Takes all that arrived, and checks it. */
void honest_take(struct honest *h);

/*
 * Ends an input. What honest guests sent to each other must arrive, in order; then all that still
 * waits at `hostile` is dropped, and the sums must agree.
 */
void honest_end(struct honest *h, struct source *hostile);

#endif /* FUZZ_HONEST_H */
