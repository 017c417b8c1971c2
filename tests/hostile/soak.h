/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The soak: hours of all that honest and hostile guests do, at one switch with two workers and an
 * uplink. Prints TAP.
 *
 * Eight honest guests: the neighbours (neighbours.h), whose frames go on all the time, and the
 * movers (movers.h). Two things alternate: a hostile case, in an order drawn at random, with its
 * verdict; and acts of the movers, beside processes that misbehave at random (pest.h) and are
 * killed. At the end the sums must agree, and the switch must hold what it held after the warm-up.
 */
#ifndef HOSTILE_SOAK_H
#define HOSTILE_SOAK_H

#include "hostile.h"

/* Runs in a network namespace of its own. Returns the exit status. */
int soak_run(struct hostile *h, const struct options *o, double seconds, uint64_t seed);

/* Returns true if the test is to end before its time: then nothing new is begun. */
bool interrupted_now(void);

#endif
