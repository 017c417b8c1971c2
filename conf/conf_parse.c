/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reading and checking the options: see conf_parse.h for the contract. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "conf/conf_node.h"
#include "conf/conf_parse.h"
#include "conf/eal_options.h"
#include "conf/conf_port.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/number.h"
#include "base/version.h"

static const char usage[] =
		"Usage: vhost-switch [EAL options] -- [options]\n"
		"\n"
		"A switch between the virtio-net devices of virtual machines and containers,\n"
		"and one uplink.\n"
		"\n"
		"  -p MASK                 hexadecimal mask of exactly one DPDK port: the uplink\n"
		"                          (none: the switch runs without one)\n"
		"  --dev-basename NAME     serve the socket ./NAME; in the build with the cuse back\n"
		"                          end: the device /dev/NAME (usvhost)\n"
		"  --dev-owner USER:GROUP  who owns the sockets, or cuse's device (who runs the\n"
		"                          switch)\n"
		"  --dev-mode MODE         their permissions, octal (sockets: 0777 less the umask;\n"
		"                          device: 0600)\n"
		"  --socket-file PATH      serve this socket; may be repeated; usvhost is then\n"
		"                          made only if --dev-basename is given too\n"
		"  --port NAME,KEY=VALUE,...\n"
		"                          a port by name, with settings of its own (below); may be\n"
		"                          repeated\n"
		"  --control PATH          the socket where tools ask about the switch and change\n"
		"                          it, or none (control in EAL's run-time folder)\n"
		"  --client                connect to the sockets, and reconnect, instead of serving\n"
		"  --vm2vm 0|1|2           guest to guest: 0 everything goes to the uplink,\n"
		"                          1 switched in software, 2 by the NIC (1)\n"
		"  --mergeable 0|1         offer mergeable receive buffers, and with them jumbo\n"
		"                          frames (0)\n"
		"  --stats N               print the statistics every N seconds, 0 only at exit (0)\n"
		"  --rx-retry 0|1          wait for room in a full receive ring (1)\n"
		"  --rx-retry-num N        how many times (4)\n"
		"  --rx-retry-delay US     how long between, in microseconds (15)\n"
		"  --vlan-strip 0|1        strip the uplink's VLAN tag before a guest sees it (1)\n"
		"  --vlan-base N           device i has tag N+i on the uplink, 0 untagged (1000)\n"
		"  --forward-bpdu 0|1      forward frames for 01:80:c2:00:00:00 to 0f (spanning tree,\n"
		"                          pause, LACP, 802.1X, LLDP), as no bridge does (0)\n"
		"  --aging S               forget an address idle for S seconds, 0 never (300)\n"
		"  --total-num-mbufs N     size of the uplink's mbuf pool (sized from its queues)\n"
		"  --vmdq 0|1              the uplink's frames are sorted 0 in software, 1 by the\n"
		"                          NIC's VMDq pools (by the NIC where it can)\n"
		"  --tx-csum 0|1           offer guests checksum offload (0)\n"
		"  --tso 0|1               offer guests segmentation offload, and with it that of\n"
		"                          checksums (0)\n"
		"  -P                      uplink promiscuous\n"
		"  -h, --help              this text\n"
		"  --version               print the version\n"
		"\n"
		"Example, one worker on CPU 1, uplink the first DPDK port:\n"
		"  vhost-switch -l 0,1 -- -p 0x1 --socket-file /run/vm1.sock --stats 5\n"
		"\n"
		"Settings of --port:\n";

enum {
	OPT_BASENAME = 256,
	OPT_OWNER,
	OPT_MODE,
	OPT_SOCKET,
	OPT_PORT,
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
	OPT_MBUFS,
	OPT_VMDQ,
	OPT_TX_CSUM,
	OPT_TSO,
	OPT_VERSION,
};

static const struct option long_options[] = {
		{"dev-basename", required_argument, NULL, OPT_BASENAME},
		{"dev-owner", required_argument, NULL, OPT_OWNER},
		{"dev-mode", required_argument, NULL, OPT_MODE},
		{"socket-file", required_argument, NULL, OPT_SOCKET},
		{"port", required_argument, NULL, OPT_PORT},
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
		{"total-num-mbufs", required_argument, NULL, OPT_MBUFS},
		{"vmdq", required_argument, NULL, OPT_VMDQ},
		{"tx-csum", required_argument, NULL, OPT_TX_CSUM},
		{"tso", required_argument, NULL, OPT_TSO},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{NULL, 0, NULL, 0},
};

/* A number option: its bounds, what they mean, and where the value goes. */
struct number {
	int opt;
	const char *name;
	uint64_t min, max;
	const char *unit;
};

static const struct number numbers[] = {
		{OPT_VM2VM, "--vm2vm", 0, 2, ""},
		{OPT_MERGEABLE, "--mergeable", 0, 1, ""},
		{OPT_STATS, "--stats", 0, 86400, " seconds"},
		{OPT_RETRY, "--rx-retry", 0, 1, ""},
		{OPT_RETRY_NUM, "--rx-retry-num", 0, 1000, ""},
		{OPT_RETRY_DELAY, "--rx-retry-delay", 0, 100000, " microseconds"},
		{OPT_STRIP, "--vlan-strip", 0, 1, ""},
		{OPT_VLAN_BASE, "--vlan-base", 0, VLAN_LAST, ""},
		{OPT_FORWARD_BPDU, "--forward-bpdu", 0, 1, ""},
		{OPT_AGING, "--aging", 0, 1000000, " seconds"},
		{OPT_MBUFS, "--total-num-mbufs", 1024, 16777216, " mbufs"},
		{OPT_VMDQ, "--vmdq", 0, 1, ""},
		{OPT_TX_CSUM, "--tx-csum", 0, 1, ""},
		{OPT_TSO, "--tso", 0, 1, ""},
};

/* Reads a number within the bounds; prints an error if it is none. */
static bool
parse_number(const struct number *n, const char *text, uint64_t *value)
{
	if (number_parse(text, 10, n->max, value) && *value >= n->min)
		return true;
	say_error("%s %s: must be a number from %llu to %llu%s", n->name, text,
			(unsigned long long)n->min, (unsigned long long)n->max, n->unit);
	return false;
}

static bool
parse_mask(struct conf *c, const char *text)
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

static bool
parse_basename(struct conf *c, const char *name)
{
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
parse_set_number(struct conf *c, int opt, uint64_t v)
{
	switch (opt) {
	case OPT_VM2VM:
		c->vm2vm = v;
		break;
	case OPT_VMDQ:
		c->vmdq = v ? VMDQ_ON : VMDQ_OFF;
		break;
	case OPT_TX_CSUM:
		c->tx_csum = v;
		c->tx_csum_given = true;
		break;
	case OPT_TSO:
		c->tso = v;
		break;
	case OPT_MERGEABLE:
		c->mergeable = v;
		break;
	case OPT_STATS:
		c->stats = v;
		break;
	case OPT_RETRY:
		c->rx_retry = v;
		break;
	case OPT_RETRY_NUM:
		c->rx_retry_num = v;
		break;
	case OPT_RETRY_DELAY:
		c->rx_retry_delay = v;
		break;
	case OPT_STRIP:
		c->vlan_strip = v;
		break;
	case OPT_VLAN_BASE:
		c->vlan_base = v;
		break;
	case OPT_FORWARD_BPDU:
		c->forward_bpdu = v;
		break;
	case OPT_AGING:
		c->aging = v;
		break;
	case OPT_MBUFS:
		c->total_num_mbufs = v;
		break;
	}
	return true;
}

static bool
parse_refuse_control(const char *arg)
{
	say_error("--control '%s': must be the path of a socket, of at most %d bytes, or none", arg,
			SOCKET_PATH_MAX - 1);
	return false;
}

static bool
parse_option(struct conf *c, int opt, const char *arg)
{
	uint64_t value;
	size_t i;

	switch (opt) {
	case 'p':
		return parse_mask(c, arg);
	case 'P':
		c->promiscuous = true;
		return true;
	case OPT_BASENAME:
		return parse_basename(c, arg);
	case OPT_OWNER:
		return conf_node_owner(c, arg);
	case OPT_MODE:
		return conf_node_mode(c, arg);
	case OPT_SOCKET:
		return conf_port_add_socket(c, "--socket-file", "", arg, SOCKET_GUESTS);
	case OPT_PORT:
		return conf_port_add(c, arg);
	case OPT_CONTROL:
		if (arg[0] == '\0' || strlen(arg) >= SOCKET_PATH_MAX)
			return parse_refuse_control(arg);
		snprintf(c->control, sizeof(c->control), "%s", arg);
		return true;
	case OPT_CLIENT:
		c->client = true;
		return true;
	}
	for (i = 0; i < RTE_DIM(numbers); i++)
		if (numbers[i].opt == opt)
			return parse_number(&numbers[i], arg, &value) &&
					parse_set_number(c, opt, value);
	return false;
}

static void
conf_defaults(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	c->node_mode = 0600;
	c->vm2vm = VM2VM_SOFTWARE;
	c->rx_retry = true;
	c->rx_retry_num = 4;
	c->rx_retry_delay = 15;
	c->vlan_strip = true;
	c->vlan_base = 1000;
	c->aging = 300;
}

/* Adds what is there without being asked for, and names all ports. */
static bool
conf_complete(struct conf *c)
{
	if (CONF_CUSE && c->node[0] == '\0' && c->nports == 0)
		snprintf(c->node, sizeof(c->node), "usvhost");
	if (!CONF_CUSE && c->nports == 0 && !parse_basename(c, "usvhost"))
		return false;
	if (!conf_node_check(c) || (c->node[0] != '\0' && !conf_port_add_node(c)))
		return false;
	conf_port_name_all(c);
	return true;
}

/* Returns true if a word begins with the name of an option of the switch. */
static bool
parse_is_own(const char *word)
{
	size_t i, len = strcspn(word, "=");

	if (word[0] == '-' && (word[1] == 'p' || word[1] == 'P')) /* a value may follow at once */
		return true;
	for (i = 0; long_options[i].name != NULL; i++)
		if (strncmp(word, "--", 2) == 0 && strlen(long_options[i].name) == len - 2 &&
				strncmp(word + 2, long_options[i].name, len - 2) == 0)
			return true;
	return false;
}

/* EAL judges the words before "--", except those that belong after it. */
static bool
parse_check_sides(int first, char **argv)
{
	struct eal_said said;

	if (!eal_options_read(&said, first, argv)) {
		say_error("no memory for the command line");
		return false;
	}
	if (said.unknown != NULL && parse_is_own(said.unknown)) {
		say_error("%s: is an option of the switch and not of EAL: it goes after \"--\", "
			  "as in vhost-switch -l 0,1 -- --stats 5",
				said.unknown);
		return false;
	}
	if (said.unknown == NULL && said.stray != NULL) {
		say_error("%s: is no option of EAL, before \"--\": leave it out, or join it "
			  "to the option it belongs to",
				said.stray);
		return false;
	}
	return true;
}

/* Prints what is wrong with an unknown option after "--". */
static void
parse_say_unknown(const char *word)
{
	if (eal_options_has(word))
		say_error("%s: is an option of EAL: it goes before \"--\", as in "
			  "vhost-switch -l 0,1 -- --stats 5",
				word);
	else
		say_error("%s: unknown option, or a value it does not take; see --help", word);
}

/*
 * Returns the index of the word before the switch's options: of "--", or of the word before --help
 * or --version where there is no "--".
 */
static int
parse_own_options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 ||
				strcmp(argv[i], "--version") == 0)
			return i - 1;
	return argc;
}

enum conf_result
conf_parse_given(struct conf *c, int argc, char **argv)
{
	int first = parse_own_options(argc, argv);
	int n = argc - first;
	char letter[] = "-?";
	const char *arg;
	int opt;

	conf_defaults(c);
	/* Skipped if a word before "--" asks for help. */
	if ((first == argc || strcmp(argv[first], "--") == 0) && !parse_check_sides(first, argv))
		return CONF_ERROR;
	optind = 0; /* 0, not 1: glibc then starts again, also for tests */
	argv += first;
	while (n > 0 && (opt = getopt_long(n, argv, "+:p:Ph", long_options, NULL)) != -1) {
		arg = argv[optind - 1];
		switch (opt) {
		case 'h':
			fputs(usage, stdout);
			conf_port_help(stdout);
			return CONF_DONE;
		case OPT_VERSION:
			printf("vhost-switch %s\n", VHOST_SWITCH_VERSION);
			return CONF_DONE;
		case ':':
			say_error("%s: needs a value; see --help", arg);
			return CONF_ERROR;
		case '?':
			/* A letter in a group has no argument of its own to show. */
			letter[1] = optopt;
			parse_say_unknown(optopt > 0 && optopt < OPT_BASENAME ? letter : arg);
			return CONF_ERROR;
		}
		if (!parse_option(c, opt, optarg))
			return CONF_ERROR;
	}
	if (n > 0 && optind < n) {
		say_error("%s: is no option; see --help", argv[optind]);
		return CONF_ERROR;
	}
	return conf_complete(c) ? CONF_RUN : CONF_ERROR;
}

enum conf_result
conf_parse(struct conf *c, int argc, char **argv)
{
	enum conf_result result = conf_parse_given(c, argc, argv);

	return result != CONF_RUN || conf_settle(c) ? result : CONF_ERROR;
}
