/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Compares settings: see conf_diff.h for the contract. */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "base/log.h"
#include "conf/conf_option.h"
#include "conf/conf_port.h"

/*
 * Keys that act on frames, on who may connect, or on the socket's file. The others are agreed upon
 * with a guest when it connects, or say where that is.
 */
static const char *const live[] = {
		"guests", "vlan", "mac", "isolated", "own-tags", "owner", "mode"};

static bool
diff_is_live(unsigned int key)
{
	char name[PORT_KEY_MAX];
	size_t i;

	conf_port_key(key, name);
	for (i = 0; i < RTE_DIM(live); i++)
		if (strcmp(live[i], name) == 0)
			return true;
	return false;
}

/* Returns true if two ports differ in a key, whose values are written to `was` and `is`. */
static bool
diff_in_key(const struct conf_port *now, const struct conf_port *next, unsigned int key,
		char was[PORT_VALUE_MAX], char is[PORT_VALUE_MAX])
{
	return strcmp(conf_port_get(now, key, was), conf_port_get(next, key, is)) != 0;
}

enum change
conf_change(const struct conf *now, const struct conf *next, unsigned int index)
{
	const struct conf_port *p = &now->port[index], *q = &next->port[index];
	char was[PORT_VALUE_MAX], is[PORT_VALUE_MAX];
	enum change change = CHANGE_NONE;
	unsigned int key;

	if (!conf_port_used(p) || !conf_port_used(q))
		return conf_port_used(p)            ? CHANGE_REMOVE
				: conf_port_used(q) ? CHANGE_ADD
						    : CHANGE_NONE;
	for (key = 0; key < conf_port_keys(); key++) {
		if (!diff_in_key(p, q, key, was, is))
			continue;
		if (!diff_is_live(key))
			return CHANGE_REMAKE;
		change = CHANGE_LIVE;
	}
	return change;
}

static const char *
diff_word(const char *value)
{
	return value[0] != '\0' ? value : "default";
}

/* Prints all keys of a port that are not at their defaults. */
static void
diff_print_port(FILE *out, const struct conf_port *p)
{
	char name[PORT_KEY_MAX], value[PORT_VALUE_MAX];
	unsigned int key;

	fprintf(out, "+ port %s", p->name);
	for (key = 0; key < conf_port_keys(); key++)
		if (conf_port_get(p, key, value)[0] != '\0')
			fprintf(out, " %s=%s", conf_port_key(key, name), value);
	fputc('\n', out);
}

static void
diff_print_changes(FILE *out, const struct conf_port *now, const struct conf_port *next)
{
	char was[PORT_VALUE_MAX], is[PORT_VALUE_MAX], name[PORT_KEY_MAX];
	unsigned int key;

	for (key = 0; key < conf_port_keys(); key++)
		if (diff_in_key(now, next, key, was, is))
			fprintf(out, "~ port %s %s %s -> %s\n", next->name,
					conf_port_key(key, name), diff_word(was), diff_word(is));
}

/* Prints the differences in what was decided at start. */
static void
diff_print_switch(FILE *out, const struct conf *now, const struct conf *next)
{
	char was[CONF_VALUE_MAX], is[CONF_VALUE_MAX];
	const char *name;
	unsigned int i;

	for (i = 0; (name = conf_option_name(i)) != NULL; i++) {
		conf_option_get(now, i, was);
		conf_option_get(next, i, is);
		if (strcmp(was, is) != 0)
			fprintf(out, "~ switch %s %s -> %s (needs a restart)\n", name,
					diff_word(was), diff_word(is));
	}
}

static unsigned int
diff_free_index(const struct conf *next, const struct conf *now,
		bool (*taken)(void *arg, unsigned int index), void *arg)
{
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++)
		if (!conf_port_used(&next->port[i]) && !conf_port_used(&now->port[i]) &&
				(taken == NULL || !taken(arg, i)))
			break;
	return i;
}

/* Puts a port into *next at its index. Returns false if none is free. */
static bool
diff_assign_one(struct conf *next, const struct conf *now, const struct conf_port *p,
		bool (*taken)(void *arg, unsigned int index), void *arg)
{
	unsigned int at = conf_find_port(now, p->name);

	if (at == SOCKET_MAX)
		at = diff_free_index(next, now, taken, arg);
	if (at == SOCKET_MAX) {
		say_error("port %s: at most %d sockets; remove some first", p->name, SOCKET_MAX);
		return false;
	}
	next->port[at] = *p;
	next->nports = RTE_MAX(next->nports, at + 1);
	return true;
}

bool
conf_assign_indexes(struct conf *next, const struct conf *now,
		bool (*taken)(void *arg, unsigned int index), void *arg)
{
	struct conf *from = malloc(sizeof(*from));
	unsigned int i;
	bool ok = true;

	if (from == NULL) {
		say_error("no memory for the settings");
		return false;
	}
	*from = *next;
	memset(next->port, 0, sizeof(next->port));
	next->nports = 0;
	for (i = 0; ok && i < from->nports; i++)
		ok = diff_assign_one(next, now, &from->port[i], taken, arg);
	conf_port_limit_clients(next, now->client); /* not next's, which needs a restart */
	free(from);
	return ok;
}

void
conf_diff_print(FILE *out, const struct conf *now, const struct conf *next)
{
	unsigned int i;

	diff_print_switch(out, now, next);
	for (i = 0; i < SOCKET_MAX; i++) {
		switch (conf_change(now, next, i)) {
		case CHANGE_NONE:
			break;
		case CHANGE_ADD:
			diff_print_port(out, &next->port[i]);
			break;
		case CHANGE_REMOVE:
			fprintf(out, "- port %s\n", now->port[i].name);
			break;
		default:
			diff_print_changes(out, &now->port[i], &next->port[i]);
		}
	}
}
