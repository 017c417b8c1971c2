/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Connections, and which of them become guests with a place in the table of ports.
 *
 * A connection takes nothing but memory of the switch's own. Its place, of which there are
 * few, it gets when its driver has set the device up, and keeps until it ends. How
 * many connections of a port may wait for that is bounded.
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

/* A connection at socket `path`. NULL: refused, and why was said. */
struct guest *guest_connect(struct guests *all, int vid, const char *path);

/* Gives a guest a place, if it has none yet. False: there is none, and that was said. */
bool guest_place(struct guest *g);

/* The connection is over, and its rings are stopped: its place is left to the main lcore to clear. */
void guest_end(struct guest *g);

/* Writes what log lines call a guest: by its place, once it has one. Returns `name`. Any thread. */
const char *guest_who(const struct guest *g, char name[GUEST_WHO_MAX]);

#endif /* GUEST_CONNECT_H */
