/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Chooses a guest's slot in the table of ports (switch/port.h), and its name.
 *
 * The slot is the device's number, which decides its tag on the uplink (if its port names none) and
 * its VMDq pool. Port i of the configuration has slot i for its first guest, and for nobody else,
 * so it does not matter who connects first. Its further guests, if it takes several, get the lowest
 * slot that is no port's own.
 *
 * librte_vhost's thread, except where it says otherwise; slot_name(): any thread.
 */
#ifndef GUEST_SLOT_H
#define GUEST_SLOT_H

#include <stddef.h>
#include <stdint.h>

struct conf;
struct ports;

#define SLOT_NONE UINT16_MAX

/* Room for a port's name (PORT_NAME_MAX, conf.h) and its guest's number. */
#define SLOT_NAME_MAX 56

/*
 * `conf_port` is the index of a port of the configuration; `slot` and a source's `port` are indexes in the table
 * of ports, where such a port may have several guests.
 */

/* Returns the conf_port that serves a socket, or SOCKET_MAX: none does at present. */
unsigned int slot_conf_port(const struct conf *c, const char *socket);

/*
 * Takes a slot for one more guest of a port of the configuration, and publishes it. Returns SLOT_NONE, after an
 * error was logged, if there is none.
 */
uint16_t slot_take(struct ports *all, const struct conf *c, unsigned int conf_port);

/* Gives every slot that has settings its port's settings of *next, in the place of those of *now. Main lcore. */
void slot_set_conf(struct ports *all, const struct conf *now, const struct conf *next);

/* Returns the slot in use by the guest of that name, as slot_name() has it; GUEST_MAX: none. Any thread. */
unsigned int slot_find(const struct ports *all, const char *name);

/*
 * Writes the name of the guest in a slot: its port's, with a number if the port takes several.
 * Returns `name`.
 */
char *slot_name(const struct ports *all, uint16_t slot, char name[SLOT_NAME_MAX]);

#endif /* GUEST_SLOT_H */
