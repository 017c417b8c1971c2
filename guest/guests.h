/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * All guests of the switch, and the parts of the switch that they use.
 *
 * librte_vhost's thread, except where it says otherwise.
 */
#ifndef GUEST_GUESTS_H
#define GUEST_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "guest/peer.h"
#include "guest/space.h"

struct conf;
struct guest;
struct lanes;
struct port_count;
struct ports;
struct wake;

struct guests {
	const struct conf *conf;
	struct ports *ports;
	struct lanes *lanes;
	struct wake *wake;                /* wakes the main lcore, which clears slots */
	struct port_count *outside;       /* by port: counters that belong to no worker */
	struct guest *by_slot[GUEST_MAX]; /* any thread may read it */
	struct guest *list;               /* all guests that there ever were */
	struct peers peers;               /* front ends that left */
	struct spaces spaces;
	size_t message_size; /* of librte_vhost's own struct; 0: not known (message.h) */
	uint64_t faults;     /* guests stopped for breaking the rules; any thread reads it */
	bool ending;         /* the switch ends: nobody asks why front ends leave */
};

/* Frees all guests at exit. Main lcore, when everything else has stopped. */
void guests_destroy(struct guests *all);

#endif /* GUEST_GUESTS_H */
