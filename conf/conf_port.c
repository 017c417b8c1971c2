/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Ports, as options describe them: see conf_port.h for the contract. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "conf/conf.h"
#include "conf/conf_node.h"
#include "conf/conf_port.h"
#include "forward/port.h"
#include "run/log.h"

/* A payload that IPv4 can live with (RFC 791), and the largest that is switched. */
#define MTU_MIN 68
#define MTU_MAX 9000

/* What a parser is given: where the value goes, and what to call it in an error. */
struct setting {
	struct conf_port *port;
	const char *what; /* the option, with the port's name */
	const char *key;
	const char *value;
};

static bool
wrong(const struct setting *s, const char *allowed)
{
	say_error("%s: %s=%s: must be %s", s->what, s->key, s->value, allowed);
	return false;
}

static bool
parse_socket(const struct setting *s)
{
	if (s->value[0] == '\0')
		return wrong(s, "the path of a socket");
	if (strlen(s->value) >= SOCKET_PATH_MAX) {
		say_error("%s: socket=%s: must be at most %d bytes long: choose a shorter path",
				s->what, s->value, SOCKET_PATH_MAX - 1);
		return false;
	}
	snprintf(s->port->socket, sizeof(s->port->socket), "%s", s->value);
	return true;
}

static bool
parse_role(const struct setting *s)
{
	if (strcmp(s->value, "server") == 0)
		s->port->role = ROLE_SERVER;
	else if (strcmp(s->value, "client") == 0)
		s->port->role = ROLE_CLIENT;
	else
		return wrong(s, "server or client");
	return true;
}

static bool
parse_guests(const struct setting *s)
{
	uint64_t n;

	if (!conf_digits(s->value, 10, GUEST_MAX, &n) || n == 0)
		return wrong(s, "a number from 1 to " RTE_STR(GUEST_MAX));
	s->port->guests = n;
	return true;
}

static bool
parse_vlan(const struct setting *s)
{
	uint64_t n;

	if (!conf_digits(s->value, 10, VLAN_LAST, &n))
		return wrong(s, "a number from 0 to " RTE_STR(VLAN_LAST));
	s->port->vlan = n;
	s->port->vlan_given = true;
	return true;
}

/* Reads one address, all of the text: six bytes between colons. */
static bool
parse_address(const char *text, struct rte_ether_addr *mac)
{
	return strlen(text) == RTE_ETHER_ADDR_FMT_SIZE - 1 &&
			rte_ether_unformat_addr(text, mac) == 0 &&
			rte_is_valid_assigned_ether_addr(mac);
}

static bool
parse_mac(const struct setting *s)
{
	struct conf_port *p = s->port;
	char copy[PORT_MACS_MAX * RTE_ETHER_ADDR_FMT_SIZE + 1];
	char *item, *save = NULL;

	snprintf(copy, sizeof(copy), "%s", s->value);
	item = strtok_r(copy, "+", &save);
	if (item == NULL)
		return wrong(s, "a unicast address, or several with '+' between them");
	for (; item != NULL; item = strtok_r(NULL, "+", &save)) {
		if (p->nmacs == PORT_MACS_MAX) {
			say_error("%s: %s=%s: at most %d addresses", s->what, s->key, s->value,
					PORT_MACS_MAX);
			return false;
		}
		if (!parse_address(item, &p->mac[p->nmacs++]))
			return wrong(s,
					"a unicast address, or several with '+' between them, as "
					"in mac=02:00:00:00:00:01+02:00:00:00:00:02");
	}
	return true;
}

static bool
parse_yes_no(const struct setting *s, bool *yes)
{
	*yes = strcmp(s->value, "yes") == 0;
	return *yes || strcmp(s->value, "no") == 0 || wrong(s, "yes or no");
}

static bool
parse_choice(const struct setting *s, enum choice *choice)
{
	bool yes;

	if (!parse_yes_no(s, &yes))
		return false;
	*choice = yes ? CHOICE_YES : CHOICE_NO;
	return true;
}

static bool
parse_isolated(const struct setting *s)
{
	return parse_yes_no(s, &s->port->isolated);
}

static bool
parse_csum(const struct setting *s)
{
	return parse_choice(s, &s->port->csum);
}

static bool
parse_tso(const struct setting *s)
{
	return parse_choice(s, &s->port->tso);
}

static bool
parse_mergeable(const struct setting *s)
{
	return parse_choice(s, &s->port->mergeable);
}

/* What conf_owner() and conf_mode() put in front of the value. */
static const char *
key_of(const struct setting *s, char text[PORT_NAME_MAX + 32])
{
	snprintf(text, PORT_NAME_MAX + 32, "%s: %s=", s->what, s->key);
	return text;
}

static bool
parse_owner(const struct setting *s)
{
	char what[PORT_NAME_MAX + 32];

	s->port->owned = true;
	return conf_owner(key_of(s, what), s->value, &s->port->uid, &s->port->gid);
}

static bool
parse_mode(const struct setting *s)
{
	char what[PORT_NAME_MAX + 32];

	s->port->mode_given = true;
	return conf_mode(key_of(s, what), s->value, &s->port->mode);
}

static bool
parse_mtu(const struct setting *s)
{
	uint64_t n;

	if (!conf_digits(s->value, 10, MTU_MAX, &n) || n < MTU_MIN)
		return wrong(s, "a number from " RTE_STR(MTU_MIN) " to " RTE_STR(MTU_MAX));
	s->port->mtu = n;
	return true;
}

static bool
parse_queues(const struct setting *s)
{
	uint64_t n;

	if (!conf_digits(s->value, 10, QUEUE_PAIRS_MAX, &n) || n == 0)
		return wrong(s, "a number from 1 to " RTE_STR(QUEUE_PAIRS_MAX));
	s->port->queues = n;
	return true;
}

static bool
parse_own_tags(const struct setting *s)
{
	if (strcmp(s->value, "keep") != 0 && strcmp(s->value, "drop") != 0)
		return wrong(s, "keep or drop");
	s->port->no_own_tags = s->value[0] == 'd';
	return true;
}

static const struct key {
	const char *name;
	const char *value;
	const char *help;
	bool (*parse)(const struct setting *s);
} keys[] = {
#define KEY(name, value, help) {#name, value, help, parse_##name},
		PORT_KEYS(KEY)
#undef KEY
};

/* Room for a key's name, or for all of them with spaces between. */
#define KEY_NAME_MAX 32
#define KEY_NAMES_MAX (RTE_DIM(keys) * KEY_NAME_MAX)

/* A key as users write it: what is '_' in C is '-'. */
static const char *
key_name(const struct key *k, char name[KEY_NAME_MAX])
{
	size_t i;

	snprintf(name, KEY_NAME_MAX, "%s", k->name);
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] == '_')
			name[i] = '-';
	return name;
}

static const struct key *
find_key(const char *text)
{
	char name[KEY_NAME_MAX];
	size_t i;

	for (i = 0; i < RTE_DIM(keys); i++)
		if (strcmp(key_name(&keys[i], name), text) == 0)
			return &keys[i];
	return NULL;
}

/* Says what is wrong with what should be a key, and which keys there are. */
static bool
no_key(const char *what, const char *text, const char *fault)
{
	char all[KEY_NAMES_MAX] = "", name[KEY_NAME_MAX];
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
	const struct key *k = find_key(key);

	return k != NULL ? k->parse(&s) : no_key(what, key, "no such key; there are");
}

/* Letters of a name that is to stand in tables, log lines and commands. */
static bool
is_name_character(char c)
{
	return isalnum((unsigned char)c) || strchr("._-", c) != NULL;
}

/* Whether users may give a port this name; says why not. */
static bool
name_ok(const char *name)
{
	static const char *const taken[] = {"uplink", "departed", "total", "device"};
	size_t i, len = strlen(name);

	for (i = 0; i < len && is_name_character(name[i]); i++)
		;
	if (len == 0 || i < len || len > PORT_NAME_MAX) {
		say_error("--port %s: must begin with a name of 1 to %d letters, digits, '.', '_' "
			  "and '-', as in --port vm1,socket=/run/vm1.sock",
				name, PORT_NAME_MAX);
		return false;
	}
	/* Numbers are devices; the others are rows of the statistics. */
	if (name[strspn(name, "0123456789")] == '\0') {
		say_error("--port %s: a name must not be a number", name);
		return false;
	}
	for (i = 0; i < RTE_DIM(taken); i++) {
		if (strcmp(name, taken[i]) == 0) {
			say_error("--port %s: the name is taken; choose another", name);
			return false;
		}
	}
	return true;
}

static bool
has_name(const struct conf *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (strcmp(c->port[i].name, name) == 0)
			return true;
	return false;
}

/* The next free port, with defaults. NULL: there are too many, and that was said. */
static struct conf_port *
new_port(struct conf *c, const char *option, const char *name, unsigned int guests)
{
	struct conf_port *p = &c->port[c->nports];

	if (c->nports == SOCKET_MAX) {
		say_error("%s %s: at most %d sockets; let several guests share one", option, name,
				SOCKET_MAX);
		return NULL;
	}
	*p = (struct conf_port){.guests = guests, .queues = QUEUE_PAIRS_MAX};
	return p;
}

/* Counts the port at the end of the list in, unless its socket is another's already. */
static bool
take_port(struct conf *c, const char *option, const char *name)
{
	struct conf_port *p = &c->port[c->nports];
	unsigned int i;

	for (i = 0; i < c->nports; i++) {
		if (strcmp(c->port[i].socket, p->socket) == 0) {
			say_error("%s %s: given twice", option, name);
			return false;
		}
	}
	c->nports++;
	return true;
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
	p = new_port(c, option, name, guests);
	if (p == NULL)
		return false;
	len = snprintf(p->socket, SOCKET_PATH_MAX, "%s%s", prefix, name);
	if (len >= SOCKET_PATH_MAX) {
		say_error("%s %s: must be at most %d bytes long: choose a shorter path", option,
				name, SOCKET_PATH_MAX - 1 - (int)strlen(prefix));
		return false;
	}
	return take_port(c, option, name);
}

bool
conf_port_add_node(struct conf *c)
{
	return new_port(c, "--dev-basename", c->node, GUEST_MAX) != NULL &&
			take_port(c, "--dev-basename", c->node);
}

/* Reads `key=value,...` into the port. Writes to the text. */
static bool
set_all(struct conf_port *p, const char *what, char *text)
{
	char *item, *value, *save = NULL;

	for (item = strtok_r(text, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save)) {
		value = strchr(item, '=');
		if (value == NULL)
			return no_key(what, item, "must be key=value; the keys are");
		*value = '\0';
		if (!conf_port_set(p, what, item, value + 1))
			return false;
	}
	return true;
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
	if (!name_ok(copy))
		return false;
	if (has_name(c, copy)) {
		say_error("--port %s: given twice", copy);
		return false;
	}
	p = new_port(c, "--port", copy, 1);
	if (p == NULL)
		return false;
	memcpy(p->name, copy, len + 1); /* it fits: name_ok() */
	snprintf(what, sizeof(what), "--port %s", p->name);
	if (text[len] != '\0' && !set_all(p, what, copy + len + 1))
		return false;
	if (p->socket[0] == '\0') {
		say_error("%s: where do its guests connect? socket=PATH is missing", what);
		return false;
	}
	return take_port(c, what, p->socket);
}

/* Whether another port has this one's name. */
static bool
is_taken(const struct conf *c, const struct conf_port *p)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (&c->port[i] != p && strcmp(c->port[i].name, p->name) == 0)
			return true;
	return false;
}

/* Gives a port that has no name that of its socket, with a number if that is taken. */
static void
name_port(struct conf *c, struct conf_port *p)
{
	const char *slash = strrchr(p->socket, '/');
	const char *base = p->socket[0] == '\0' ? c->node : slash ? slash + 1 : p->socket;
	char name[PORT_NAME_MAX + 1];
	unsigned int i, n;

	/* Room for "-256". */
	snprintf(name, sizeof(name), "%.*s", PORT_NAME_MAX - 4, base);
	for (i = 0; name[i] != '\0'; i++)
		if (!is_name_character(name[i]))
			name[i] = '_';
	if (name[strspn(name, "0123456789")] == '\0')
		snprintf(name, sizeof(name), "port%.*s", PORT_NAME_MAX - 8, base);
	snprintf(p->name, sizeof(p->name), "%s", name);
	for (n = 2; is_taken(c, p); n++)
		snprintf(p->name, sizeof(p->name), "%.*s-%u", PORT_NAME_MAX - 4, name, n);
}

/* Decides who listens, and with that how many guests there can be. */
static bool
settle_role(const struct conf *c, struct conf_port *p)
{
	if (p->role == ROLE_DEFAULT)
		p->role = c->client && p->socket[0] != '\0' ? ROLE_CLIENT : ROLE_SERVER;
	if (p->role != ROLE_CLIENT)
		return true;
	/* The switch connects once to each socket. */
	if (p->name[0] != '\0' && p->guests > 1) {
		say_error("--port %s: guests=%u: a client connects to one guest; give each a "
			  "socket",
				p->name, p->guests);
		return false;
	}
	p->guests = 1;
	return true;
}

/* Decides what a port's guests are offered, where its keys leave that to the options. */
static bool
settle_offer(const struct conf *c, struct conf_port *p)
{
	if (p->tso == CHOICE_YES && p->csum == CHOICE_NO) {
		say_error("--port %s: csum=no: segments need checksums, so it can't stand beside "
			  "tso=yes",
				p->name);
		return false;
	}
	if (p->tso == CHOICE_DEFAULT)
		p->tso = c->tso && p->csum != CHOICE_NO ? CHOICE_YES : CHOICE_NO;
	if (p->csum == CHOICE_DEFAULT)
		p->csum = c->tx_csum || p->tso == CHOICE_YES ? CHOICE_YES : CHOICE_NO;
	if (p->mergeable == CHOICE_DEFAULT)
		p->mergeable = c->mergeable ? CHOICE_YES : CHOICE_NO;
	if (p->mtu > RTE_ETHER_MTU && p->mergeable == CHOICE_NO) {
		say_error("--port %s: mtu=%u: frames with more than %d bytes of payload need "
			  "mergeable=yes",
				p->name, p->mtu, RTE_ETHER_MTU);
		return false;
	}
	if (p->mtu == 0)
		p->mtu = p->mergeable == CHOICE_YES ? MTU_MAX : RTE_ETHER_MTU;
	return true;
}

/* What one port is offered the switch must be able to do. */
static bool
settle_offers(struct conf *c)
{
	bool csum = false, tso = false, mergeable = false;
	unsigned int i;

	for (i = 0; i < c->nports; i++) {
		if (!settle_offer(c, &c->port[i]))
			return false;
		csum |= c->port[i].csum == CHOICE_YES;
		tso |= c->port[i].tso == CHOICE_YES;
		mergeable |= c->port[i].mergeable == CHOICE_YES;
	}
	c->tx_csum |= csum;
	c->tso |= tso;
	c->mergeable |= mergeable;
	return true;
}

/* Whether the socket of a port is one that the switch makes, if it is to have an owner or a mode. */
static bool
owner_ok(const struct conf_port *p)
{
	if (p->role != ROLE_CLIENT || (!p->owned && !p->mode_given))
		return true;
	say_error("--port %s: %s=: the switch connects to the socket, so that its owner and mode are "
		  "what QEMU gives it: leave it out",
			p->name, p->owned ? "owner" : "mode");
	return false;
}

/* Whether nobody else names the tag that a port has by its place. */
static bool
tag_ok(const struct conf *c, unsigned int i)
{
	uint16_t tag = conf_vlan(c, i);
	unsigned int k;

	for (k = 0; k < c->nports && c->vlan_base != 0 && !c->port[i].vlan_given; k++) {
		if (!c->port[k].vlan_given || c->port[k].vlan != tag)
			continue;
		say_error("--port %s: vlan=%u: is the tag that port %s has by its place, "
			  "--vlan-base + %u; choose another, or give that one a vlan= as well",
				c->port[k].name, tag, c->port[i].name, i);
		return false;
	}
	return true;
}

static int
compare_macs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rte_ether_addr));
}

/* Lists the addresses that ports name. */
static void
list_macs(struct conf *c)
{
	unsigned int i, k;

	for (i = 0; i < c->nports; i++)
		for (k = 0; k < c->port[i].nmacs; k++)
			c->mac[c->nmacs++] = c->port[i].mac[k];
	qsort(c->mac, c->nmacs, sizeof(c->mac[0]), compare_macs);
}

bool
conf_port_check(struct conf *c)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (!settle_role(c, &c->port[i]) || !owner_ok(&c->port[i]))
			return false;
	for (i = 0; i < c->nports; i++)
		if (c->port[i].name[0] == '\0')
			name_port(c, &c->port[i]);
	for (i = 0; i < c->nports; i++)
		if (!tag_ok(c, i))
			return false;
	conf_map_tags(c);
	list_macs(c);
	return settle_offers(c);
}

bool
conf_mac_named(const struct conf *c, const struct rte_ether_addr *mac)
{
	return c->nmacs != 0 &&
			bsearch(mac, c->mac, c->nmacs, sizeof(c->mac[0]), compare_macs) != NULL;
}

/* One more port has this tag. */
static void
claim_tag(struct conf *c, uint16_t vid, uint16_t owner)
{
	uint16_t *o = &c->tag_owner[vid];

	*o = *o == TAG_NOBODY ? owner : TAG_SHARED;
}

void
conf_map_tags(struct conf *c)
{
	const struct conf_port *p;
	unsigned int i;

	c->tagged = c->vlan_base != 0;
	for (i = 0; i < RTE_DIM(c->tag_owner); i++)
		c->tag_owner[i] = TAG_NOBODY;
	for (i = 0; i < c->nports; i++) {
		p = &c->port[i];
		if (!p->vlan_given)
			continue;
		c->tagged |= p->vlan != 0;
		claim_tag(c, p->vlan, p->guests == 1 ? i : TAG_SHARED);
	}
	/* A tag that a port names is for those who name it alone. */
	for (i = 0; i < GUEST_MAX; i++) {
		if (i < c->nports && c->port[i].vlan_given)
			continue;
		if (c->vlan_base == 0)
			c->tag_owner[0] = TAG_SHARED;
		else if (conf_vlan(c, i) <= VLAN_LAST &&
				c->tag_owner[conf_vlan(c, i)] == TAG_NOBODY)
			c->tag_owner[conf_vlan(c, i)] = i;
	}
}

/* Prints a sentence in lines that a terminal shows whole. */
static void
print_wrapped(FILE *out, const char *text)
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
	char name[KEY_NAME_MAX];
	size_t i;

	for (i = 0; i < RTE_DIM(keys); i++) {
		fprintf(out, "  %s=%s\n", key_name(&keys[i], name), keys[i].value);
		print_wrapped(out, keys[i].help);
	}
}
