/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Connections, and which of them become guests with a slot in the table of ports.
 *
 * A connection alone takes only memory of the switch. It gets a slot, of which there are few, when
 * its driver has set the device up, and keeps it until it ends. The number of connections of a port
 * that may wait for their drivers is bounded.
 *
 * librte_vhost's thread, except where it says otherwise.
 */
#ifndef GUEST_CONNECT_H
#define GUEST_CONNECT_H

#include <stdbool.h>

#include "conf/conf.h"

struct guest;
struct guests;

/* Room for "device 255", or a port's name. */
#define GUEST_WHO_MAX (PORT_NAME_MAX + sizeof("device "))

/* Makes a guest of a connection at socket `path`. Returns NULL, after the reason was logged, if it is refused. */
struct guest *guest_connect(struct guests *all, int vid, const char *path);

/* Gives a guest a slot, if it has none yet. Returns false, after that was logged, if there is none. */
bool guest_take_slot(struct guest *g);

/* Ends a guest whose connection is over and whose rings are stopped. The main lcore clears its slot. */
void guest_end(struct guest *g);

/* Writes the name of a guest for the log: that of its slot, once it has one. Returns `name`. Any thread. */
const char *guest_who(const struct guest *g, char name[GUEST_WHO_MAX]);

#endif /* GUEST_CONNECT_H */
