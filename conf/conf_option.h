/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The options of the switch, one by one, as the command line and the file set them: what there is,
 * how a value is read, and how it is written.
 *
 * Any thread. What is wrong with a value is printed, with what is allowed.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <getopt.h>
#include <stdbool.h>

struct conf;

/* Numbers of options that have no letter; see getopt_long(3). */
enum conf_opt {
	OPT_BASENAME = 256,
	OPT_OWNER,
	OPT_MODE,
	OPT_SOCKET,
	OPT_PORT,
	OPT_CONFIG,
	OPT_CONTROL,
	OPT_CLIENT,
	OPT_VM2VM,
	OPT_MERGEABLE,
	OPT_STATS,
	OPT_RETRY,
	OPT_RETRY_NUM,
	OPT_RETRY_DELAY,
	OPT_STRIP,
	OPT_VLAN_BASE,
	OPT_FORWARD_BPDU,
	OPT_AGING,
	OPT_IDLE_SLEEP,
	OPT_MBUFS,
	OPT_VMDQ,
	OPT_TX_CSUM,
	OPT_TSO,
	OPT_VERSION,
};

/* All long options, for getopt_long(3). */
extern const struct option conf_options[];

/* Gives every setting its default, and no port. */
void conf_defaults(struct conf *c);

/* Sets the option `opt` of getopt_long(3), which must not be one that prints something. */
bool conf_option(struct conf *c, int opt, const char *arg);

/* Serves ./usvhost, or /dev/usvhost. */
bool conf_option_basename(struct conf *c, const char *name);

/* Room for a value as a file has it: a path, or a name of a user and of a group. */
#define CONF_VALUE_MAX 256

/*
 * The options that are not ports, by number: their names as in a file, or NULL past the last one; and
 * their values as a file has them, "" for a default.
 */
const char *conf_option_name(unsigned int option);
const char *conf_option_get(const struct conf *c, unsigned int option, char text[CONF_VALUE_MAX]);

/*
 * Sets an option by its long name without "--", or its letter, as a file does. Returns false, after an
 * error was printed, if there is none, or if a file may not set it, or for a wrong value.
 */
bool conf_option_set(struct conf *c, const char *name, const char *value);

#endif /* CONF_OPTION_H */
