/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Compares one struct conf with the next. Ports are compared by index, so conf_assign_indexes() first gives a port
 * of the next one the index of the port with the same name.
 *
 * Any thread.
 */
#ifndef CONF_DIFF_H
#define CONF_DIFF_H

#include <stdbool.h>
#include <stdio.h>

struct conf;
struct conf_port;

enum change {
	CHANGE_NONE,
	CHANGE_ADD,
	CHANGE_LIVE,   /* in effect at once; its guests notice nothing */
	CHANGE_REMAKE, /* its socket is made again, and its guests have to connect again */
	CHANGE_REMOVE,
};

/*
 * Gives the ports of *next that have the same names as ports of *now their indexes, and the others
 * the lowest that are free in both, and for which `taken` (may be NULL) returns false. Whether the switch connects
 * to sockets stays as *now has it. Returns false, after an error was printed, if there are too few indexes.
 */
bool conf_assign_indexes(struct conf *next, const struct conf *now,
		bool (*taken)(void *arg, unsigned int index), void *arg);

/* Returns how the port at an index changes; both are resolved. */
enum change conf_change(const struct conf *now, const struct conf *next, unsigned int index);

/*
 * Prints a line for each difference of two struct conf as given: "+ port vm4 socket=/run/vm4.sock",
 * "~ port vm1 vlan 10 -> 20", "- port old", "~ switch aging default -> 60 (needs a restart)". Keys at
 * their defaults are printed as "default".
 */
void conf_diff_print(FILE *out, const struct conf *now, const struct conf *next);

#endif /* CONF_DIFF_H */
