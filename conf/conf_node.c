/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Options of the cuse back end's node and of sockets' owners: see conf_node.h for the contract. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_node.h"
#include "base/log.h"
#include "base/number.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool
conf_node_name(struct conf *c, const char *name)
{
	/* sysfs and devtmpfs change some characters, and give "." and ".." a meaning. */
	if (name[0] == '\0' || name[0] == '.' || name[strspn(name, NAME_CHARACTERS)] != '\0') {
		say_error("--dev-basename %s: must be a name under /dev, of letters, digits, '.', "
			  "'_' and '-', and not begin with '.'",
				name);
		return false;
	}
	if (strlen(name) > NODE_NAME_MAX) {
		say_error("--dev-basename %s: must be at most %d bytes long", name, NODE_NAME_MAX);
		return false;
	}
	if (c->node[0] != '\0' && !c->node_from_file) {
		say_error("--dev-basename %s: given twice", name);
		return false;
	}
	c->node_from_file = false;
	snprintf(c->node, sizeof(c->node), "%s", name);
	return true;
}

/* Reads a number that is an ID; the largest number means none. */
static bool
conf_node_parse_id(const char *text, uint32_t *id)
{
	uint64_t value;
	bool ok = number_parse(text, 10, UINT32_MAX - 1, &value);

	*id = value;
	return ok;
}

static bool
conf_node_find_user(const char *name, uid_t *id)
{
	const struct passwd *user;

	if (conf_node_parse_id(name, id))
		return true;
	user = getpwnam(name);
	if (user != NULL)
		*id = user->pw_uid;
	return user != NULL;
}

static bool
conf_node_find_group(const char *name, gid_t *id)
{
	const struct group *group;

	if (conf_node_parse_id(name, id))
		return true;
	group = getgrnam(name);
	if (group != NULL)
		*id = group->gr_gid;
	return group != NULL;
}

bool
conf_owner(const char *what, const char *text, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(text, ':');
	char user[NODE_NAME_MAX];
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);

	if (len == 0 || len >= sizeof(user) || colon[1] == '\0') {
		say_error("%s%s: must be user:group, as in libvirt-qemu:kvm or 64055:108", what,
				text);
		return false;
	}
	memcpy(user, text, len);
	user[len] = '\0';
	if (!conf_node_find_user(user, uid)) {
		say_error("%s%s: there is no user '%s'; add it, or give its number", what, text,
				user);
		return false;
	}
	if (!conf_node_find_group(colon + 1, gid)) {
		say_error("%s%s: there is no group '%s'; add it, or give its number", what, text,
				colon + 1);
		return false;
	}
	return true;
}

bool
conf_mode(const char *what, const char *text, mode_t *mode)
{
	uint64_t value;

	if (!number_parse(text, 8, 0777, &value)) {
		say_error("%s%s: must be permissions in octal, 0 to 0777, as in 0660", what, text);
		return false;
	}
	*mode = value;
	return true;
}

bool
conf_node_owner(struct conf *c, const char *text)
{
	c->node_owned = conf_owner("--dev-owner ", text, &c->node_uid, &c->node_gid);
	return c->node_owned;
}

bool
conf_node_mode(struct conf *c, const char *text)
{
	c->node_mode_given = conf_mode("--dev-mode ", text, &c->node_mode);
	return c->node_mode_given;
}

bool
conf_node_check(const struct conf *c)
{
	if (c->client && c->nports == 0 && !c->no_default) {
		say_error("--client: there is no socket to connect to: give one with "
			  "--socket-file");
		return false;
	}
	return true;
}

/* Returns true if a port's node, or socket, is made by the switch. */
static bool
conf_node_serves(const struct conf *c, const struct conf_port *p)
{
	if (p->socket[0] == '\0' || p->role == ROLE_SERVER)
		return true;
	return p->role == ROLE_DEFAULT && !c->client;
}

bool
conf_node_check_owned(const struct conf *c)
{
	unsigned int i;

	if (!c->node_owned && !c->node_mode_given)
		return true;
	for (i = 0; i < c->nports; i++)
		if (conf_port_used(&c->port[i]) && conf_node_serves(c, &c->port[i]))
			return true;
	say_error("%s: the switch connects to all of its sockets, so that their owner and mode are "
		  "what QEMU gives them: leave it out",
			c->node_owned ? "--dev-owner" : "--dev-mode");
	return false;
}
