/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The configuration file: sections, keys and values, as systemd.syntax(7) has them.
 *
 *	[switch]		options of the switch, by their long names; p and P
 *	vlan-base = 2000
 *	[port vm1]		a port, with the keys of --port
 *	socket = /run/vm1.sock
 *
 * Any thread. What is wrong is printed with the file's name and the line.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct conf;

/* Longest file: 256 ports with all their keys are a quarter of it. */
#define CONF_FILE_MAX (512 * 1024)

/* Reads a file into settings that are at their defaults. */
bool conf_file_read(struct conf *c, const char *name);

/* Reads a text of `len` bytes as conf_file_read() reads a file; errors call it `name`. */
bool conf_file_parse(struct conf *c, const char *text, size_t len, const char *name);

/* Writes settings as given as a file that is read as the same. */
void conf_file_write(FILE *out, const struct conf *c);

#endif /* CONF_FILE_H */
