/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The options one by one: see conf_option.h for the contract. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "conf/conf_node.h"
#include "conf/conf_option.h"
#include "conf/conf_port.h"

const struct option conf_options[] = {
		{"dev-basename", required_argument, NULL, OPT_BASENAME},
		{"dev-owner", required_argument, NULL, OPT_OWNER},
		{"dev-mode", required_argument, NULL, OPT_MODE},
		{"socket-file", required_argument, NULL, OPT_SOCKET},
		{"port", required_argument, NULL, OPT_PORT},
		{"config", required_argument, NULL, OPT_CONFIG},
		{"control", required_argument, NULL, OPT_CONTROL},
		{"client", no_argument, NULL, OPT_CLIENT},
		{"vm2vm", required_argument, NULL, OPT_VM2VM},
		{"mergeable", required_argument, NULL, OPT_MERGEABLE},
		{"stats", required_argument, NULL, OPT_STATS},
		{"rx-retry", required_argument, NULL, OPT_RETRY},
		{"rx-retry-num", required_argument, NULL, OPT_RETRY_NUM},
		{"rx-retry-delay", required_argument, NULL, OPT_RETRY_DELAY},
		{"vlan-strip", required_argument, NULL, OPT_STRIP},
		{"vlan-base", required_argument, NULL, OPT_VLAN_BASE},
		{"forward-bpdu", required_argument, NULL, OPT_FORWARD_BPDU},
		{"aging", required_argument, NULL, OPT_AGING},
		{"idle-sleep", required_argument, NULL, OPT_IDLE_SLEEP},
		{"total-num-mbufs", required_argument, NULL, OPT_MBUFS},
		{"vmdq", required_argument, NULL, OPT_VMDQ},
		{"tx-csum", required_argument, NULL, OPT_TX_CSUM},
		{"tso", required_argument, NULL, OPT_TSO},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{NULL, 0, NULL, 0},
};

/*
 * X(name in enum conf_opt, option, least, most, unit, member of struct conf)
 *
 * The member of --vmdq is an enum with a third value, for neither: it is translated.
 */
#define NUMBERS(X) \
	X(VM2VM, "--vm2vm", 0, 2, "", vm2vm) \
	X(MERGEABLE, "--mergeable", 0, 1, "", mergeable) \
	X(STATS, "--stats", 0, 86400, " seconds", stats) \
	X(RETRY, "--rx-retry", 0, 1, "", rx_retry) \
	X(RETRY_NUM, "--rx-retry-num", 0, 1000, "", rx_retry_num) \
	X(RETRY_DELAY, "--rx-retry-delay", 0, 100000, " microseconds", rx_retry_delay) \
	X(STRIP, "--vlan-strip", 0, 1, "", vlan_strip) \
	X(VLAN_BASE, "--vlan-base", 0, VLAN_LAST, "", vlan_base) \
	X(FORWARD_BPDU, "--forward-bpdu", 0, 1, "", forward_bpdu) \
	X(AGING, "--aging", 0, 1000000, " seconds", aging) \
	X(IDLE_SLEEP, "--idle-sleep", 0, 1000000, " microseconds", idle_sleep) \
	X(MBUFS, "--total-num-mbufs", 1024, 16777216, " mbufs", total_num_mbufs) \
	X(VMDQ, "--vmdq", 0, 1, "", vmdq) \
	X(TX_CSUM, "--tx-csum", 0, 1, "", tx_csum) \
	X(TSO, "--tso", 0, 1, "", tso)

/* A number option: its bounds, and what they mean. */
struct number {
	int opt;
	const char *name;
	uint64_t min, max;
	const char *unit;
};

static const struct number numbers[] = {
#define NUMBER(opt, name, min, max, unit, member) {OPT_##opt, name, min, max, unit},
		NUMBERS(NUMBER)
#undef NUMBER
};

/* Reads a number within the bounds; prints an error if it is none. */
static bool
option_read_number(const struct number *n, const char *text, uint64_t *value)
{
	if (number_parse(text, 10, n->max, value) && *value >= n->min)
		return true;
	say_error("%s %s: must be a number from %llu to %llu%s", n->name, text,
			(unsigned long long)n->min, (unsigned long long)n->max, n->unit);
	return false;
}

static bool
option_read_mask(struct conf *c, const char *text)
{
	unsigned long long mask;
	char *end;

	errno = 0;
	mask = strtoull(text, &end, 16);
	if (text[0] == '-' || text[0] == '\0' || *end != '\0' || errno != 0 ||
			__builtin_popcountll(mask) != 1) {
		say_error("-p %s: must be a hexadecimal mask of exactly one port, as in -p 0x1",
				text);
		return false;
	}
	c->uplink = true;
	c->port_id = __builtin_ctzll(mask);
	return true;
}

bool
conf_option_basename(struct conf *c, const char *name)
{
	if (strcmp(name, "none") == 0) {
		c->no_default = true;
		return true;
	}
	if (CONF_CUSE)
		return conf_node_name(c, name);
	if (strchr(name, '/') != NULL) {
		say_error("--dev-basename %s: must not contain '/'; --socket-file takes a path",
				name);
		return false;
	}
	return conf_port_add_socket(c, "--dev-basename", "./", name, GUEST_MAX);
}

static bool
option_set_number(struct conf *c, int opt, uint64_t v)
{
	switch (opt) {
#define SET(opt, name, min, max, unit, member) \
	case OPT_##opt: \
		c->member = v; \
		break;
		NUMBERS(SET)
#undef SET
	}
	if (opt == OPT_VMDQ)
		c->vmdq = v ? VMDQ_ON : VMDQ_OFF;
	c->tx_csum_given |= opt == OPT_TX_CSUM;
	return true;
}

static uint64_t
option_get_number(const struct conf *c, int opt)
{
	switch (opt) {
#define GET(opt, name, min, max, unit, member) \
	case OPT_##opt: \
		return c->member;
		NUMBERS(GET)
#undef GET
	}
	return 0;
}

static bool
option_refuse_control(const char *arg)
{
	say_error("--control '%s': must be the path of a socket, of at most %d bytes, or none", arg,
			SOCKET_PATH_MAX - 1);
	return false;
}

bool
conf_option(struct conf *c, int opt, const char *arg)
{
	uint64_t value;
	size_t i;

	switch (opt) {
	case 'p':
		return option_read_mask(c, arg);
	case 'P':
		c->promiscuous = true;
		return true;
	case OPT_BASENAME:
		return conf_option_basename(c, arg);
	case OPT_OWNER:
		return conf_node_owner(c, arg);
	case OPT_MODE:
		return conf_node_mode(c, arg);
	case OPT_SOCKET:
		return conf_port_add_socket(c, "--socket-file", "", arg, SOCKET_GUESTS);
	case OPT_PORT:
		return conf_port_add(c, arg);
	case OPT_CONFIG: /* it was read before the others: see conf_parse_with() */
		snprintf(c->file, sizeof(c->file), "%s", arg);
		return true;
	case OPT_CONTROL:
		if (arg[0] == '\0' || strlen(arg) >= SOCKET_PATH_MAX)
			return option_refuse_control(arg);
		if (!conf_port_path_ok("--control", arg))
			return false;
		snprintf(c->control, sizeof(c->control), "%s", arg);
		return true;
	case OPT_CLIENT:
		c->client = true;
		return true;
	}
	for (i = 0; i < RTE_DIM(numbers); i++)
		if (numbers[i].opt == opt)
			return option_read_number(&numbers[i], arg, &value) &&
					option_set_number(c, opt, value);
	return false;
}

static void
option_set_defaults(struct conf *c)
{
	c->node_mode = 0600;
	c->vm2vm = VM2VM_SOFTWARE;
	c->rx_retry = true;
	c->rx_retry_num = 4;
	c->rx_retry_delay = 15;
	c->vlan_strip = true;
	c->vlan_base = 1000;
	c->aging = 300;
}

void
conf_defaults(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	option_set_defaults(c);
}

static void
option_get_mask(const struct conf *c, char *text)
{
	if (c->uplink)
		snprintf(text, CONF_VALUE_MAX, "0x%llx", 1ULL << c->port_id);
}

static void
option_get_promiscuous(const struct conf *c, char *text)
{
	snprintf(text, CONF_VALUE_MAX, "%s", c->promiscuous ? "yes" : "");
}

static void
option_get_client(const struct conf *c, char *text)
{
	snprintf(text, CONF_VALUE_MAX, "%s", c->client ? "yes" : "");
}

static void
option_get_owner(const struct conf *c, char *text)
{
	if (c->node_owned)
		snprintf(text, CONF_VALUE_MAX, "%u:%u", c->node_uid, c->node_gid);
}

static void
option_get_mode(const struct conf *c, char *text)
{
	if (c->node_mode_given)
		snprintf(text, CONF_VALUE_MAX, "%04o", c->node_mode);
}

static void
option_get_control(const struct conf *c, char *text)
{
	snprintf(text, CONF_VALUE_MAX, "%s", c->control);
}

static void
option_get_node(const struct conf *c, char *text)
{
	snprintf(text, CONF_VALUE_MAX, "%s", c->node);
}

/* Options that are no numbers, and that belong to the switch and not to its ports. */
static const struct {
	const char *name;
	void (*get)(const struct conf *c, char *text);
} others[] = {
		{"p", option_get_mask},
		{"P", option_get_promiscuous},
		{"client", option_get_client},
		{"dev-owner", option_get_owner},
		{"dev-mode", option_get_mode},
		{"dev-basename", option_get_node},
		{"control", option_get_control},
};

const char *
conf_option_name(unsigned int option)
{
	if (option < RTE_DIM(numbers))
		return numbers[option].name + strlen("--");
	option -= RTE_DIM(numbers);
	return option < RTE_DIM(others) ? others[option].name : NULL;
}

const char *
conf_option_get(const struct conf *c, unsigned int option, char text[CONF_VALUE_MAX])
{
	static struct conf defaults; /* too large for the stack; the same whenever it is written */
	uint64_t value;
	int opt;

	text[0] = '\0';
	if (option >= RTE_DIM(numbers)) {
		others[option - RTE_DIM(numbers)].get(c, text);
		return text;
	}
	option_set_defaults(&defaults);
	opt = numbers[option].opt;
	value = option_get_number(c, opt);
	if (value == option_get_number(&defaults, opt))
		return text;
	if (opt == OPT_VMDQ)
		value = value == VMDQ_ON;
	snprintf(text, CONF_VALUE_MAX, "%" PRIu64, value);
	return text;
}

/* Sets an option that has no value on the command line. */
static bool
option_set_flag(struct conf *c, int opt, const char *name, const char *value)
{
	if (strcmp(value, "yes") == 0)
		return conf_option(c, opt, "");
	if (strcmp(value, "no") != 0) {
		say_error("%s = %s: must be yes or no", name, value);
		return false;
	}
	/* The last line counts. */
	if (opt == 'P')
		c->promiscuous = false;
	else if (opt == OPT_CLIENT)
		c->client = false;
	return true;
}

bool
conf_option_set(struct conf *c, const char *name, const char *value)
{
	const struct option *o;

	if (strcmp(name, "p") == 0)
		return conf_option(c, 'p', value);
	if (strcmp(name, "P") == 0)
		return option_set_flag(c, 'P', name, value);
	for (o = conf_options; o->name != NULL && strcmp(o->name, name) != 0; o++)
		;
	if (o->name == NULL || o->val == 'h' || o->val == OPT_VERSION || o->val == OPT_CONFIG ||
			o->val == OPT_PORT) {
		say_error("%s: no such key; the keys of [switch] are the long options of --help, and p "
			  "and P; a port has a section of its own, as [port vm1]",
				name);
		return false;
	}
	return o->has_arg == no_argument ? option_set_flag(c, o->val, name, value)
					 : conf_option(c, o->val, value);
}
