/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reads the options of the cuse back end's device node, and of the owner and mode of the node and
 * the sockets (see conf.h). Each function prints what is wrong with its value, and the remedy. Any
 * thread.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include <stdbool.h>
#include <sys/types.h>

struct conf;

/* --dev-basename: a name under /dev. */
bool conf_node_name(struct conf *c, const char *name);

/* --dev-owner: user:group, by names or numbers. */
bool conf_node_owner(struct conf *c, const char *text);

/* --dev-mode: permissions, octal. */
bool conf_node_mode(struct conf *c, const char *text);

/*
 * Read user:group, by names or numbers, and permissions, octal. An error begins with `what`, then
 * the value.
 */
bool conf_owner(const char *what, const char *text, uid_t *uid, gid_t *gid);
bool conf_mode(const char *what, const char *text, mode_t *mode);

/* Checks that the options make sense together. */
bool conf_node_check(const struct conf *c);

/*
 * Checks that there is a node or socket to have an owner or a mode. For settings that were
 * read: the switch may have none later, until a port is added.
 */
bool conf_node_check_owned(const struct conf *c);

#endif /* CONF_NODE_H */
