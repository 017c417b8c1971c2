/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The keys of a port, each with its parser: see conf_port.h for the contract. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "conf/conf.h"
#include "conf/conf_node.h"
#include "conf/conf_port.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/number.h"

/* The arguments of a parser: where the value goes, and how to name it in an error. */
struct setting {
	struct conf_port *port;
	const char *what; /* the option, with the port's name */
	const char *key;
	const char *value;
};

static bool
key_wrong(const struct setting *s, const char *allowed)
{
	say_error("%s: %s=%s: must be %s", s->what, s->key, s->value, allowed);
	return false;
}

static bool
key_parse_socket(const struct setting *s)
{
	if (s->value[0] == '\0')
		return key_wrong(s, "the path of a socket");
	if (strlen(s->value) >= SOCKET_PATH_MAX) {
		say_error("%s: socket=%s: must be at most %d bytes long: choose a shorter path",
				s->what, s->value, SOCKET_PATH_MAX - 1);
		return false;
	}
	if (!conf_port_path_ok("socket=", s->value))
		return false;
	snprintf(s->port->socket, sizeof(s->port->socket), "%s", s->value);
	return true;
}

static bool
key_parse_role(const struct setting *s)
{
	if (strcmp(s->value, "server") == 0)
		s->port->role = ROLE_SERVER;
	else if (strcmp(s->value, "client") == 0)
		s->port->role = ROLE_CLIENT;
	else
		return key_wrong(s, "server or client");
	return true;
}

/* Reads a number within bounds. Returns false, after an error was printed, if it is none. */
static bool
key_parse_number(const struct setting *s, uint64_t min, uint64_t max, uint64_t *n)
{
	char allowed[64];

	if (number_parse(s->value, 10, max, n) && *n >= min)
		return true;
	snprintf(allowed, sizeof(allowed), "a number from %" PRIu64 " to %" PRIu64, min, max);
	return key_wrong(s, allowed);
}

static bool
key_parse_guests(const struct setting *s)
{
	uint64_t n;

	if (!key_parse_number(s, 1, GUEST_MAX, &n))
		return false;
	s->port->guests = n;
	return true;
}

static bool
key_parse_vlan(const struct setting *s)
{
	uint64_t n;

	if (!key_parse_number(s, 0, VLAN_LAST, &n))
		return false;
	s->port->vlan = n;
	s->port->vlan_given = true;
	return true;
}

static bool
key_parse_mac(const struct setting *s)
{
	/* A file's line may go on in the next one, which may be indented. */
	static const char between[] = "+ \t";
	const char *at = s->value + strspn(s->value, between);
	struct conf_port *p = s->port;
	struct rte_ether_addr *mac;
	char item[MAC_TEXT_MAX + 1];
	int len;

	if (*at == '\0')
		return key_wrong(s, "a unicast address, or several with '+' between them");
	for (; *at != '\0'; at += strspn(at, between)) {
		len = strcspn(at, between);
		/* What is cut here is too long for an address. */
		snprintf(item, sizeof(item), "%.*s", len, at);
		at += len;
		if (p->nmacs == PORT_MACS_MAX) {
			say_error("%s: %s=%s: at most %d addresses", s->what, s->key, s->value,
					PORT_MACS_MAX);
			return false;
		}
		mac = &p->mac[p->nmacs++];
		if (!mac_parse(item, mac) || !rte_is_valid_assigned_ether_addr(mac))
			return key_wrong(s,
					"a unicast address, or several with '+' between them, as "
					"in mac=02:00:00:00:00:01+02:00:00:00:00:02");
	}
	return true;
}

static bool
key_parse_yes_no(const struct setting *s, bool *yes)
{
	*yes = strcmp(s->value, "yes") == 0;
	return *yes || strcmp(s->value, "no") == 0 || key_wrong(s, "yes or no");
}

static bool
key_parse_choice(const struct setting *s, enum choice *choice)
{
	bool yes;

	if (!key_parse_yes_no(s, &yes))
		return false;
	*choice = yes ? CHOICE_YES : CHOICE_NO;
	return true;
}

static bool
key_parse_isolated(const struct setting *s)
{
	return key_parse_yes_no(s, &s->port->isolated);
}

static bool
key_parse_uml(const struct setting *s)
{
	return key_parse_yes_no(s, &s->port->uml);
}

static bool
key_parse_csum(const struct setting *s)
{
	return key_parse_choice(s, &s->port->csum);
}

static bool
key_parse_tso(const struct setting *s)
{
	return key_parse_choice(s, &s->port->tso);
}

static bool
key_parse_mergeable(const struct setting *s)
{
	return key_parse_choice(s, &s->port->mergeable);
}

/* Returns the text that conf_owner() and conf_mode() print before the value. */
static const char *
key_of(const struct setting *s, char text[PORT_NAME_MAX + 32])
{
	snprintf(text, PORT_NAME_MAX + 32, "%s: %s=", s->what, s->key);
	return text;
}

static bool
key_parse_owner(const struct setting *s)
{
	char what[PORT_NAME_MAX + 32];

	s->port->owned = true;
	return conf_owner(key_of(s, what), s->value, &s->port->uid, &s->port->gid);
}

static bool
key_parse_mode(const struct setting *s)
{
	char what[PORT_NAME_MAX + 32];

	s->port->mode_given = true;
	return conf_mode(key_of(s, what), s->value, &s->port->mode);
}

static bool
key_parse_mtu(const struct setting *s)
{
	uint64_t n;

	if (!key_parse_number(s, MTU_MIN, MTU_MAX, &n))
		return false;
	s->port->mtu = n;
	return true;
}

static bool
key_parse_queues(const struct setting *s)
{
	uint64_t n;

	if (!key_parse_number(s, 1, QUEUE_PAIRS_MAX, &n))
		return false;
	s->port->queues = n;
	return true;
}

static bool
key_parse_own_tags(const struct setting *s)
{
	if (strcmp(s->value, "keep") != 0 && strcmp(s->value, "drop") != 0)
		return key_wrong(s, "keep or drop");
	s->port->no_own_tags = s->value[0] == 'd';
	return true;
}

/* Each writes the value of its key into a text that is "", and nothing for its default. */

static void
key_write_socket(const struct conf_port *p, char *text)
{
	snprintf(text, PORT_VALUE_MAX, "%s", p->socket);
}

static void
key_write_role(const struct conf_port *p, char *text)
{
	static const char *const name[] = {
			[ROLE_DEFAULT] = "", [ROLE_SERVER] = "server", [ROLE_CLIENT] = "client"};

	snprintf(text, PORT_VALUE_MAX, "%s", name[p->role]);
}

static void
key_write_guests(const struct conf_port *p, char *text)
{
	/* A client has one, whatever it had as a server. */
	if (p->guests != 1 && p->role != ROLE_CLIENT)
		snprintf(text, PORT_VALUE_MAX, "%u", p->guests);
}

static void
key_write_vlan(const struct conf_port *p, char *text)
{
	if (p->vlan_given)
		snprintf(text, PORT_VALUE_MAX, "%u", p->vlan);
}

static void
key_write_mac(const struct conf_port *p, char *text)
{
	unsigned int i;

	for (i = 0; i < p->nmacs; i++) {
		if (i != 0)
			*text++ = '+';
		snprintf(text, MAC_TEXT_MAX, MAC_FORMAT, MAC_BYTES(p->mac[i]));
		text += strlen(text);
	}
}

static void
key_write_yes(bool yes, char *text)
{
	snprintf(text, PORT_VALUE_MAX, "%s", yes ? "yes" : "");
}

static void
key_write_choice(enum choice choice, char *text)
{
	static const char *const name[] = {
			[CHOICE_DEFAULT] = "", [CHOICE_NO] = "no", [CHOICE_YES] = "yes"};

	snprintf(text, PORT_VALUE_MAX, "%s", name[choice]);
}

static void
key_write_isolated(const struct conf_port *p, char *text)
{
	key_write_yes(p->isolated, text);
}

static void
key_write_own_tags(const struct conf_port *p, char *text)
{
	snprintf(text, PORT_VALUE_MAX, "%s", p->no_own_tags ? "drop" : "");
}

static void
key_write_uml(const struct conf_port *p, char *text)
{
	key_write_yes(p->uml, text);
}

static void
key_write_owner(const struct conf_port *p, char *text)
{
	if (p->owned)
		snprintf(text, PORT_VALUE_MAX, "%u:%u", p->uid, p->gid);
}

static void
key_write_mode(const struct conf_port *p, char *text)
{
	if (p->mode_given)
		snprintf(text, PORT_VALUE_MAX, "%04o", p->mode);
}

static void
key_write_mtu(const struct conf_port *p, char *text)
{
	if (p->mtu != 0)
		snprintf(text, PORT_VALUE_MAX, "%u", p->mtu);
}

static void
key_write_queues(const struct conf_port *p, char *text)
{
	if (p->queues != QUEUE_PAIRS_MAX)
		snprintf(text, PORT_VALUE_MAX, "%u", p->queues);
}

static void
key_write_csum(const struct conf_port *p, char *text)
{
	key_write_choice(p->csum, text);
}

static void
key_write_tso(const struct conf_port *p, char *text)
{
	key_write_choice(p->tso, text);
}

static void
key_write_mergeable(const struct conf_port *p, char *text)
{
	key_write_choice(p->mergeable, text);
}

static const struct key {
	const char *name;
	const char *value;
	const char *help;
	bool (*parse)(const struct setting *s);
	void (*write)(const struct conf_port *p, char *text);
} keys[] = {
#define KEY(name, value, help) {#name, value, help, key_parse_##name, key_write_##name},
		PORT_KEYS(KEY)
#undef KEY
};

/* Room for all names of keys, with spaces between. */
#define KEY_NAMES_MAX (RTE_DIM(keys) * PORT_KEY_MAX)

/* Returns a key as users write it: with '-' instead of '_'. */
static const char *
key_name(const struct key *k, char name[PORT_KEY_MAX])
{
	size_t i;

	snprintf(name, PORT_KEY_MAX, "%s", k->name);
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] == '_')
			name[i] = '-';
	return name;
}

static const struct key *
key_find(const char *text)
{
	char name[PORT_KEY_MAX];
	size_t i;

	for (i = 0; i < RTE_DIM(keys); i++)
		if (strcmp(key_name(&keys[i], name), text) == 0)
			return &keys[i];
	return NULL;
}

/* Prints what is wrong with a text that should be a key, and the list of keys. */
static bool
key_no(const char *what, const char *text, const char *fault)
{
	char all[KEY_NAMES_MAX] = "", name[PORT_KEY_MAX];
	size_t i, len = 0;

	for (i = 0; i < RTE_DIM(keys); i++)
		len += snprintf(all + len, sizeof(all) - len, " %s=", key_name(&keys[i], name));
	say_error("%s: %s: %s%s", what, text, fault, all);
	return false;
}

bool
conf_port_set(struct conf_port *p, const char *what, const char *key, const char *value)
{
	const struct setting s = {p, what, key, value};
	const struct key *k = key_find(key);

	return k != NULL ? k->parse(&s) : key_no(what, key, "no such key; there are");
}

unsigned int
conf_port_keys(void)
{
	return RTE_DIM(keys);
}

const char *
conf_port_key(unsigned int key, char name[PORT_KEY_MAX])
{
	return key_name(&keys[key], name);
}

const char *
conf_port_get(const struct conf_port *p, unsigned int key, char text[PORT_VALUE_MAX])
{
	text[0] = '\0';
	keys[key].write(p, text);
	return text;
}

bool
conf_port_set_all(struct conf_port *p, const char *what, char *text)
{
	char *item, *value, *save = NULL;

	for (item = strtok_r(text, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save)) {
		value = strchr(item, '=');
		if (value == NULL)
			return key_no(what, item, "must be key=value; the keys are");
		*value = '\0';
		if (!conf_port_set(p, what, item, value + 1))
			return false;
	}
	return true;
}

/* Prints a sentence in lines that fit a terminal. */
static void
key_print_wrapped(FILE *out, const char *text)
{
	static const size_t width = 72;
	size_t len;

	for (; *text != '\0'; text += len + (text[len] == ' ')) {
		len = strlen(text);
		if (len > width)
			for (len = width; len > 0 && text[len] != ' '; len--)
				;
		fprintf(out, "      %.*s\n", (int)len, text);
	}
}

void
conf_port_help(FILE *out)
{
	char name[PORT_KEY_MAX];
	size_t i;

	for (i = 0; i < RTE_DIM(keys); i++) {
		fprintf(out, "  %s=%s\n", key_name(&keys[i], name), keys[i].value);
		key_print_wrapped(out, keys[i].help);
	}
}
