/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The honest guests beside a hostile one: two of a room (room.h), who exchange frames all the
 * while, and whose memory nobody else may touch.
 *
 * ASan refuses every access to their memory outside of what they have offered: there is no byte
 * that could be overwritten, or read for another, unseen. What arrives must be whole.
 */
#ifndef FUZZ_HONEST_H
#define FUZZ_HONEST_H

#include "fuzz.h"
#include "room.h"

#define HONEST 2            /* guests, with ports 0 and 1 */
#define HOSTILE_PORT HONEST /* the port of the other guest */

struct honest {
	struct room *r;
	/* Frames from port i to the other, oldest first: by length, which is the seed too. */
	unsigned int nsent[HONEST], ngot[HONEST];
	uint32_t sent[HONEST][64];
};

void honest_create(struct honest *h);

/* As at the beginning, for the next input. */
void honest_reset(struct honest *h);

/* Port `port` offers `n` receive buffers, as far as its ring and its memory last. */
void honest_offer(struct honest *h, uint16_t port, unsigned int n);

/* It sends a frame to anybody; one to the other honest guest is waited for. */
void honest_send(struct honest *h, uint16_t port, const struct rte_ether_addr *to, uint32_t len);

/* A worker polls one source, in a round of its own. */
void honest_poll(struct honest *h, struct source *s);

/* Takes all that arrived, and looks at it. */
void honest_take(struct honest *h);

/*
 * The input is over. What honest guests sent to each other arrives, in order; then all that
 * still waits at `hostile` is given up, and the sums agree.
 */
void honest_end(struct honest *h, struct source *hostile);

#endif /* FUZZ_HONEST_H */
