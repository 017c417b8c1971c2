/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guests with several queue pairs, for cases. Main thread. */
#ifndef HOSTILE_PAIRS_H
#define HOSTILE_PAIRS_H

#include "hostile.h"

#define PAIRS 16 /* that the switch has: QUEUE_PAIRS_MAX */
#define RINGS (2 * PAIRS)

struct nic_opts pairs_opts(unsigned n);

/* Opens `*p` with n pairs, and a guest to talk to. */
bool pairs_open(struct hostile *h, unsigned n, struct party **p, struct party **peer);

/* Sends a frame on each transmit ring, and one back. */
bool pairs_say(struct party *p, struct party *peer);

/* Enables or disables the rings from `from` to `to` - 1, and waits until that is done. */
bool pairs_enable(struct party *p, unsigned from, unsigned to, bool on);

#endif
