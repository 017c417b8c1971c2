/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reads the command line into struct conf: at start, and again with each file that changes ports
 * (run/change.h).
 *
 * Main lcore, as getopt_long(3) has variables of its own, except where it says otherwise.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "conf/conf.h"

enum conf_result {
	CONF_RUN,   /* go on */
	CONF_DONE,  /* help or version printed: exit 0 */
	CONF_ERROR, /* an error was printed on stderr: exit 1 */
};

/*
 * Reads the options after the first "--" of the command line into *c, and checks them. EAL's
 * options, before it, are left alone. An error is one line on stderr that names the option,
 * the value and what is allowed.
 */
enum conf_result conf_parse(struct conf *c, int argc, char **argv);

/* Does what conf_parse() does, except conf_resolve(): *c gets the settings as given. */
enum conf_result conf_parse_given(struct conf *c, int argc, char **argv);

/*
 * Does what conf_parse_given() does, with `text` of `len` bytes in the place of the file that --config names;
 * NULL: reads that file. Whether the switch connects to sockets is not taken into account, as that may be
 * decided already: see conf_port_limit_clients().
 */
enum conf_result
conf_parse_with(struct conf *c, int argc, char **argv, const char *text, size_t len);

/*
 * Resolves settings that are as given: decides what they leave open, makes the tables, and checks
 * ports against each other and against the switch. Returns false, after an error was printed, if
 * they can't be used together. Any thread.
 */
bool conf_resolve(struct conf *c);

#endif /* CONF_PARSE_H */
