/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which place in the table of ports (switch/port.h) a guest gets, and its name.
 *
 * The place is the device's index, and by it go the tag on the uplink (of a port that names
 * none) and the VMDq pool. Port i of the configuration has place i for its first guest,
 * and for nobody else, so who connects first does not matter. Its further guests, if it
 * takes several, get the lowest place that is no port's own.
 *
 * librte_vhost's thread, except slot_name(): any thread.
 */
#ifndef GUEST_SLOT_H
#define GUEST_SLOT_H

#include <stddef.h>
#include <stdint.h>

struct conf;
struct ports;

#define SLOT_NONE UINT16_MAX

/* Room for a port's name and its guest's number. */
#define SLOT_NAME_MAX 56

/* The port of the configuration that serves a socket. */
unsigned int slot_port(const struct conf *c, const char *socket);

/*
 * Takes a place for one more guest of port `index` of the configuration, and makes it
 * known to workers. SLOT_NONE: there is none, and why was logged.
 */
uint16_t slot_take(struct ports *all, const struct conf *c, unsigned int index);

/*
 * Writes the name of the guest in a place: its port's, with a number where the port takes
 * several. Returns `name`.
 */
char *slot_name(const struct ports *all, uint16_t slot, char name[SLOT_NAME_MAX]);

#endif /* GUEST_SLOT_H */
