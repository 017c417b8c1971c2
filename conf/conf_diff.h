/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What changes from one settled struct conf to the next, port by port. Ports are compared by index;
 * conf_place() gives them the indexes of those whose names they have.
 *
 * Any thread.
 */
#ifndef CONF_DIFF_H
#define CONF_DIFF_H

#include <stdio.h>

struct conf;
struct conf_port;

enum change {
	CHANGE_NONE,
	CHANGE_ADD,
	CHANGE_LIVE,   /* in effect at once; its guests notice nothing */
	CHANGE_REMAKE, /* its socket is made anew: its guests have to connect again */
	CHANGE_REMOVE,
};

/* Returns how the port at an index changes. */
enum change conf_change(const struct conf *now, const struct conf *next, unsigned int index);

/*
 * Prints a line for each difference: "+ port vm4 socket=/run/vm4.sock", "~ port vm1 vlan 10 -> 20",
 * "- port old". Keys that are at their defaults are printed as "default".
 */
void conf_diff_print(FILE *out, const struct conf *now, const struct conf *next);

#endif /* CONF_DIFF_H */
