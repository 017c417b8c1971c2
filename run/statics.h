/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Static addresses of guests (fdb.add). Each belongs to a guest of a port, by name, and not to the connection
 * that the guest has at the moment: it leaves the table with the guest, waits here, and is put back when
 * the guest is back. It ends when somebody deletes it or its port.
 *
 * Main lcore.
 */
#ifndef STATICS_H
#define STATICS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "guest/slot.h"

struct static_address {
	uint64_t key; /* see fdb_key() */
	char port[PORT_NAME_MAX + 1];
	uint16_t number;           /* number of the guest at its port */
	char guest[SLOT_NAME_MAX]; /* name of the guest, made of port and number */
	bool waits;                /* the guest is away */
};

/* All zeroes: none. */
struct statics {
	struct static_address *list;
	unsigned int n, size;
};

void statics_free(struct statics *s);

/* Adds an address that is not in the list. Returns false without memory. */
bool statics_add(struct statics *s, const struct static_address *a);

/* Removes an address. Returns true if it waited. */
bool statics_drop(struct statics *s, uint64_t key);

/* Removes all addresses of ports that the settings do not have. */
void statics_drop_ports(struct statics *s, const struct conf *c);

#endif /* STATICS_H */
