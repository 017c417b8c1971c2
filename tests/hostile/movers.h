/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Movers: honest guests that come, go, reboot and migrate, in pairs that exchange numbered frames.
 *
 * There are four guests: two talk to each other, two to stations on the wire, which are packet
 * sockets on the interface of the switch's uplink. Whatever an act does, each frame that was sent
 * before or after it must arrive, whole and in order, except where a guest dies in the middle. Main
 * thread only.
 */
#ifndef HOSTILE_MOVERS_H
#define HOSTILE_MOVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "hostile.h"

#define MOVERS 4

struct movers;

/* What was done since movers_open(). */
struct movers_done {
	uint64_t frames; /* that arrived */
	uint64_t lost;   /* that the switch dropped and counted */
	unsigned moves, reconnects, reboots, deaths, logs;
	int64_t slowest_ms; /* that one took to connect */
	const char *act;    /* the last one that was begun */
	unsigned mover;     /* with which it was */
};

/* Connects them, and makes each known to its peer. Returns NULL, and notes a failure, if one could not. */
struct movers *movers_open(struct hostile *h);

/* Does one act with one of them, both drawn from the generator (odd_messages.h). Returns false after a failure. */
bool movers_act(struct movers *m, uint64_t *random);

/* Lets all talk; the switch's counters of each must be what it sent. Returns false after a failure. */
bool movers_settle(struct movers *m);

const struct movers_done *movers_done(const struct movers *m);

/* Hangs up. NULL is fine. */
void movers_close(struct movers *m);

#endif
