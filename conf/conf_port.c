/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Ports, as options add them, and their names: see conf_port.h for the contract. */
#include <ctype.h>
#include <string.h>

#include <jansson.h>

#include <rte_common.h>

#include "conf/conf.h"
#include "conf/conf_port.h"
#include "base/limits.h"
#include "base/log.h"

/* Returns true for characters of a name, which has to fit tables, log lines and commands. */
static bool
conf_port_is_name_character(char c)
{
	return isalnum((unsigned char)c) || strchr("._-", c) != NULL;
}

/* Returns true for a name that means something else: a row of the statistics. */
static bool
conf_port_is_row(const char *name)
{
	static const char *const rows[] = {"uplink", "departed", "total", "device"};
	size_t i;

	for (i = 0; i < RTE_DIM(rows); i++)
		if (strcmp(name, rows[i]) == 0)
			return true;
	return false;
}

/* Returns true if users may give a port this name; else prints why not. */
static bool
conf_port_name_ok(const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < len && conf_port_is_name_character(name[i]); i++)
		;
	if (len == 0 || i < len || len > PORT_NAME_MAX) {
		say_error("--port %s: must begin with a name of 1 to %d letters, digits, '.', '_' "
			  "and '-', as in --port vm1,socket=/run/vm1.sock",
				name, PORT_NAME_MAX);
		return false;
	}
	/* Numbers are devices. */
	if (name[strspn(name, "0123456789")] == '\0') {
		say_error("--port %s: a name must not be a number", name);
		return false;
	}
	if (conf_port_is_row(name)) {
		say_error("--port %s: the name is taken; choose another", name);
		return false;
	}
	return true;
}

/* Returns true if a port has the name; with `ours`, one of the command line. */
static bool
conf_port_has_name(const struct conf *c, const char *name, bool ours)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (strcmp(c->port[i].name, name) == 0 && !(ours && c->port[i].from_file))
			return true;
	return false;
}

static const struct conf_port port_defaults = {.guests = 1, .queues = QUEUE_PAIRS_MAX};

/*
 * Returns the next free port, with defaults, or NULL, after an error was printed, if there are too
 * many.
 */
static struct conf_port *
conf_port_new(struct conf *c, const char *option, const char *name, unsigned int guests)
{
	struct conf_port *p = &c->port[c->nports];

	if (c->nports == SOCKET_MAX) {
		say_error("%s %s: at most %d sockets; let several guests share one", option, name,
				SOCKET_MAX);
		return NULL;
	}
	*p = port_defaults;
	p->guests = guests;
	return p;
}

/* Returns true if no other port has this one's socket. */
static bool
conf_port_is_alone(const struct conf *c, const struct conf_port *p)
{
	const struct conf_port *q;

	for (q = c->port; q < c->port + c->nports; q++)
		if (q != p && (conf_port_used(q) || q->socket[0] != '\0') &&
				strcmp(q->socket, p->socket) == 0)
			return false;
	return true;
}

/* Removes ports of a file that have the name or the socket of a port of the command line. */
static void
conf_port_make_way(struct conf *c, const struct conf_port *p)
{
	const struct conf_port copy = *p;
	unsigned int i = 0;

	while (i < c->nports) {
		if (!c->port[i].from_file ||
				(strcmp(c->port[i].name, copy.name) != 0 &&
						strcmp(c->port[i].socket, copy.socket) != 0)) {
			i++;
			continue;
		}
		/* This also moves the new port, which follows the last one. */
		memmove(&c->port[i], &c->port[i + 1], (c->nports - i) * sizeof(*p));
		memset(&c->port[c->nports--], 0, sizeof(*p));
	}
}

/* Adds the port at the end of the list, unless its socket belongs to another port already. */
static bool
conf_port_take(struct conf *c, const char *option, const char *name)
{
	conf_port_make_way(c, &c->port[c->nports]);
	if (!conf_port_is_alone(c, &c->port[c->nports])) {
		say_error("%s %s: given twice", option, name);
		return false;
	}
	c->nports++;
	return true;
}

bool
conf_port_path_ok(const char *what, const char *path)
{
	size_t i, len = strlen(path);
	json_t *text = json_string(path); /* NULL: not UTF-8 */
	bool ok = text != NULL && len != 0 && path[0] != ' ' &&
			strchr(" \\", path[len - 1]) == NULL;

	json_decref(text);
	for (i = 0; i < len; i++)
		ok &= !iscntrl((unsigned char)path[i]);
	if (!ok)
		say_error("%s '%s': must be a path in UTF-8 without control characters, and without a "
			  "blank or a backslash at its end",
				what, path);
	return ok;
}

bool
conf_port_add_socket(struct conf *c, const char *option, const char *prefix, const char *name,
		unsigned int guests)
{
	struct conf_port *p;
	int len;

	if (name[0] == '\0') {
		say_error("%s '': must not be empty", option);
		return false;
	}
	if (!conf_port_path_ok(option, name))
		return false;
	p = conf_port_new(c, option, name, guests);
	if (p == NULL)
		return false;
	len = snprintf(p->socket, SOCKET_PATH_MAX, "%s%s", prefix, name);
	if (len >= SOCKET_PATH_MAX) {
		say_error("%s %s: must be at most %d bytes long: choose a shorter path", option,
				name, SOCKET_PATH_MAX - 1 - (int)strlen(prefix));
		return false;
	}
	return conf_port_take(c, option, name);
}

bool
conf_port_add_node(struct conf *c)
{
	return conf_port_new(c, "--dev-basename", c->node, GUEST_MAX) != NULL &&
			conf_port_take(c, "--dev-basename", c->node);
}

static bool
conf_port_has_socket(const struct conf_port *p)
{
	if (p->socket[0] != '\0')
		return true;
	say_error("--port %s: where do its guests connect? socket=PATH is missing", p->name);
	return false;
}

bool
conf_port_add(struct conf *c, const char *text)
{
	/* The longest path, the longest list of addresses, and the rest. */
	char copy[1024], what[PORT_NAME_MAX + sizeof("--port ")];
	struct conf_port *p;
	size_t len = strcspn(text, ",");

	if (strlen(text) >= sizeof(copy)) {
		say_error("--port %s: too long", text);
		return false;
	}
	memcpy(copy, text, strlen(text) + 1);
	copy[len] = '\0';
	if (!conf_port_name_ok(copy))
		return false;
	if (conf_port_has_name(c, copy, true)) {
		say_error("--port %s: given twice", copy);
		return false;
	}
	p = conf_port_new(c, "--port", copy, 1);
	if (p == NULL)
		return false;
	memcpy(p->name, copy, len + 1); /* it fits: conf_port_name_ok() */
	p->named = true;
	snprintf(what, sizeof(what), "--port %s", p->name);
	if (text[len] != '\0' && !conf_port_set_all(p, what, copy + len + 1))
		return false;
	return conf_port_has_socket(p) && conf_port_take(c, what, p->socket);
}

void
conf_port_limit_clients(struct conf *c, bool client)
{
	struct conf_port *p;

	for (p = c->port; client && p < c->port + c->nports; p++)
		if (conf_port_used(p) && !p->named && p->socket[0] != '\0')
			p->guests = 1;
}

struct conf_port *
conf_port_create(struct conf *c, const char *name, bool (*taken)(void *arg, unsigned int index),
		void *arg)
{
	struct conf_port *p;
	unsigned int i;

	if (!conf_port_name_ok(name))
		return NULL;
	if (conf_port_has_name(c, name, false)) {
		say_error("--port %s: there is a port of that name", name);
		return NULL;
	}
	for (i = 0; i < SOCKET_MAX; i++)
		if (!conf_port_used(&c->port[i]) && (taken == NULL || !taken(arg, i)))
			break;
	if (i == SOCKET_MAX) {
		say_error("--port %s: at most %d sockets; let several guests share one", name,
				SOCKET_MAX);
		return NULL;
	}
	p = &c->port[i];
	*p = port_defaults;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->named = true;
	c->nports = RTE_MAX(c->nports, i + 1);
	return p;
}

bool
conf_port_unset(struct conf_port *p, const char *what, const char *key)
{
	char name[PORT_KEY_MAX], value[PORT_VALUE_MAX];
	struct conf_port next = port_defaults;
	unsigned int k, found = 0;

	snprintf(next.name, sizeof(next.name), "%s", p->name);
	next.named = p->named;
	for (k = 0; k < conf_port_keys(); k++) {
		if (strcmp(conf_port_key(k, name), key) == 0)
			found++;
		else if (conf_port_get(p, k, value)[0] != '\0' &&
				!conf_port_set(&next, what, name, value))
			return false;
	}
	if (found == 0) /* says which keys there are */
		return conf_port_set(&next, what, key, "");
	*p = next;
	return true;
}

bool
conf_port_complete(const struct conf *c, const struct conf_port *p)
{
	if (p->named && !conf_port_has_socket(p))
		return false;
	if (conf_port_is_alone(c, p))
		return true;
	say_error("--port %s: socket=%s: is another port's", p->name, p->socket);
	return false;
}

void
conf_port_remove(struct conf *c, struct conf_port *p)
{
	memset(p, 0, sizeof(*p));
	while (c->nports > 0 && !conf_port_used(&c->port[c->nports - 1]))
		c->nports--;
}

/* Returns true if another port has this one's name. */
static bool
conf_port_is_taken(const struct conf *c, const struct conf_port *p)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (&c->port[i] != p && strcmp(c->port[i].name, p->name) == 0)
			return true;
	return false;
}

void
conf_port_name(struct conf *c, struct conf_port *p)
{
	const char *slash = strrchr(p->socket, '/');
	const char *base = p->socket[0] == '\0' ? c->node : slash ? slash + 1 : p->socket;
	char name[PORT_NAME_MAX + 1];
	unsigned int i, n;

	/* Room for "-256". */
	snprintf(name, sizeof(name), "%.*s", PORT_NAME_MAX - 4, base);
	for (i = 0; name[i] != '\0'; i++)
		if (!conf_port_is_name_character(name[i]))
			name[i] = '_';
	/* As conf_port_name_ok() has it; the name of a folder ends here as "". */
	if (name[strspn(name, "0123456789")] == '\0' || conf_port_is_row(name))
		snprintf(name, sizeof(name), "port%.*s", PORT_NAME_MAX - 8, base);
	snprintf(p->name, sizeof(p->name), "%s", name);
	for (n = 2; conf_port_is_taken(c, p); n++)
		snprintf(p->name, sizeof(p->name), "%.*s-%u", PORT_NAME_MAX - 4, name, n);
}
