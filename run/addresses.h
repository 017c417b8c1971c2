/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Keeps the table of addresses and the uplink's filters for them in step, and tells which addresses
 * the ports' settings allow.
 *
 * Main lcore.
 */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/fdb.h"

struct conf;
struct parts;

/*
 * Returns true if a port may have an address: its settings name it (mac=), or they name none and
 * neither do other ports' settings name this one. `key`: see fdb_key().
 */
bool addresses_allowed(const struct parts *p, uint64_t key, uint16_t port);

/* Handles an address of guest `to` that was guest `from`'s or the uplink's, or is new. */
void addresses_let_in(const struct parts *p, uint64_t key, uint16_t from, uint16_t to);

/* Handles an address that has moved from a guest to the uplink. */
void addresses_let_go(const struct parts *p, uint64_t key);

/* Forgets all addresses of a guest that has left. Its static ones wait for it. */
void addresses_forget_port(const struct parts *p, uint16_t port);

/*
 * Puts the static addresses of a guest that has come back where they were. Those that it may not have end if the
 * settings are `committed`, and wait otherwise, as the change that is being made may be taken back.
 */
void addresses_return(const struct parts *p, uint16_t port, bool committed);

/* Forgets the addresses that the present settings do not allow to their ports. Static ones wait. */
void addresses_enforce(const struct parts *p);

/*
 * Does the same for settings that stay: static addresses return to the guests that are there, or (if they
 * are not allowed any more) end.
 */
void addresses_commit(const struct parts *p);

/*
 * Puts an address at a port, where it stays until it is deleted, also while the port's guest is away. Returns
 * false if the port has all that it may have.
 */
bool addresses_fix(const struct parts *p, uint64_t key, uint16_t port);

/*
 * Makes a static address (key 0: all) of a guest (PORT_MAX: of all guests) an ordinary one, which does not come
 * back with its guest. Returns how many of them waited for their guests.
 */
uint32_t addresses_forget_static(const struct parts *p, uint64_t key, unsigned int port);

/* Forgets the addresses that `unwanted` chooses. Returns their number. */
uint32_t addresses_forget_if(const struct parts *p, fdb_unwanted_fn unwanted, void *arg);

/* Forgets idle addresses. Once a second; see fdb_tick(). */
void addresses_tick(const struct parts *p);

#endif /* ADDRESSES_H */
