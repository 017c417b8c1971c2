/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The soak: hours of all that guests do, honest ones and others, at one switch with two workers and
 * an uplink. Prints TAP.
 *
 * Eight honest guests: the neighbours (neighbours.h), whose frames go on all the time, and the
 * movers (movers.h). In turn: a case of the hostile ones, in an order that is drawn, with its
 * verdict; then acts of the movers beside processes that misbehave at random (pest.h) and are
 * killed. At the end the sums must agree, and the switch must hold what it held after the warm-up.
 */
#ifndef HOSTILE_SOAK_H
#define HOSTILE_SOAK_H

#include "hostile.h"

/* In a network namespace of its own. Returns the exit status. */
int soak_run(struct hostile *h, const struct options *o, double seconds, uint64_t seed);

/* Set when the test is to end before its time: nothing new is begun. */
bool interrupted_now(void);

#endif
