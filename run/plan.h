/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What a change of ports comes to: which of them are added, changed, made again or removed, and which
 * settings are in effect on the way. It belongs to the change (change.h), which takes the steps.
 *
 * Main lcore.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/conf_diff.h"

struct parts;
struct rpc;

struct plan {
	struct conf *before;      /* the settings when it began, resolved */
	struct conf *next;        /* the settings that are wanted, resolved */
	uint8_t kind[SOCKET_MAX]; /* enum change */
	bool down[SOCKET_MAX];    /* its socket could not be made before */
	bool late[SOCKET_MAX];    /* its socket's path is free only when another port has gone */
};

/* Returns true if a port's guests end and its socket is removed, perhaps to be made again. */
static inline bool
plan_removes(const struct plan *p, unsigned int index)
{
	return p->kind[index] == CHANGE_REMOVE || p->kind[index] == CHANGE_REMAKE;
}

/* Returns true if a port's socket is made: with `late`, after others were removed, else before. */
static inline bool
plan_serves(const struct plan *p, unsigned int index, bool late)
{
	if (late)
		return p->kind[index] == CHANGE_REMAKE || p->late[index];
	return p->kind[index] == CHANGE_ADD && !p->late[index];
}

/* Returns true if two settings of a port give its socket another owner or mode. */
bool plan_owner_differs(const struct conf_port *a, const struct conf_port *b);

/* Makes room for both settings. Returns false without memory; plan_end() is called then, too. */
bool plan_begin(struct plan *p);

/* Frees what belongs to it. */
void plan_end(struct plan *p);

/*
 * Compares both settings: sets what becomes of each port. Returns false, after an error was printed, if that can't be
 * done while the switch runs.
 */
bool plan_compare(struct plan *p);

/*
 * Returns true if no port gets the tag of a guest that is connected, and no guest one that there is not: a guest
 * of a port without vlan= has that of its slot. Returns false after an error was printed.
 */
bool plan_leaves_tags(const struct plan *p, const struct parts *parts);

/* Returns true if no port has a guest that it may not have then. Returns false after an error was printed. */
bool plan_leaves_guests(const struct plan *p, const struct parts *parts);

/* Returns true if the slots of new ports are free. Returns false after an error was printed. */
bool plan_leaves_slots(const struct plan *p, const struct parts *parts);

/* Returns true once no slot is in use by a guest of a port that goes or, with `added`, of one that is new. */
bool plan_is_cleared(const struct plan *p, const struct parts *parts, bool added);

/*
 * Returns the settings while ports go, to be freed: those that are wanted, but the former ones for these
 * ports, marked as `going`, and without ports whose sockets' paths are still in use. NULL: no memory.
 */
struct conf *plan_between(const struct plan *p, bool going);

/* Returns the names of ports that are made again, a line each, to be freed, or NULL without memory. */
char *plan_reconnects(const struct plan *p);

/* Tells those who watch what was done. */
void plan_tell(const struct plan *p, struct rpc *rpc);

#endif /* PLAN_H */
