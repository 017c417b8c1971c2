/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reading and checking the options: see conf_parse.h for the contract. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "conf/conf_file.h"
#include "conf/conf_node.h"
#include "conf/conf_option.h"
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
		"                          end: the device /dev/NAME (usvhost); none: neither\n"
		"  --dev-owner USER:GROUP  who owns the sockets, or cuse's device (who runs the\n"
		"                          switch)\n"
		"  --dev-mode MODE         their permissions, octal (sockets: 0777 less the umask;\n"
		"                          device: 0600)\n"
		"  --socket-file PATH      serve this socket; may be repeated; usvhost is then\n"
		"                          made only if --dev-basename is given too\n"
		"  --port NAME,KEY=VALUE,...\n"
		"                          a port by name, with settings of its own (below); may be\n"
		"                          repeated\n"
		"  --config FILE           settings of the switch and of ports; the command line\n"
		"                          overrides it\n"
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
		"  --idle-sleep US         a worker sleeps after so many microseconds without work,\n"
		"                          0 never (0)\n"
		"  --total-num-mbufs N     size of the uplink's mbuf pool (sized from its queues)\n"
		"  --vmdq 0|1              the uplink's frames are sorted 0 in software, 1 by the\n"
		"                          NIC's VMDq pools (by the NIC where it can)\n"
		"  --tx-csum 0|1           offer guests checksum offload (0)\n"
		"  --tso 0|1               offer guests segmentation offload, and with it checksum\n"
		"                          offload (0)\n"
		"  -P                      uplink promiscuous\n"
		"  -h, --help              this text\n"
		"  --version               print the version\n"
		"\n"
		"Example, one worker on CPU 1, uplink the first DPDK port:\n"
		"  vhost-switch -l 0,1 -- -p 0x1 --socket-file /run/vm1.sock --stats 5\n"
		"\n"
		"Settings of --port:\n";

/*
 * Adds the default socket or device if no option names one, and names all ports. `lasts`: owner or mode are in the
 * file, and so also for ports that are added later.
 */
static bool
conf_complete(struct conf *c, bool lasts)
{
	const bool nothing = c->nports == 0 && !c->no_default;

	if (CONF_CUSE && c->node[0] == '\0' && nothing)
		snprintf(c->node, sizeof(c->node), "usvhost");
	if (!CONF_CUSE && nothing && !conf_option_basename(c, "usvhost"))
		return false;
	if (!conf_node_check(c) || (c->node[0] != '\0' && !conf_port_add_node(c)))
		return false;
	conf_port_name_all(c);
	return lasts || conf_node_check_owned(c);
}

/* Returns true if a word begins with the name of an option of the switch. */
static bool
parse_is_own(const char *word)
{
	size_t i, len = strcspn(word, "=");

	if (word[0] == '-' && (word[1] == 'p' || word[1] == 'P')) /* a value may follow at once */
		return true;
	for (i = 0; conf_options[i].name != NULL; i++)
		if (strncmp(word, "--", 2) == 0 && strlen(conf_options[i].name) == len - 2 &&
				strncmp(word + 2, conf_options[i].name, len - 2) == 0)
			return true;
	return false;
}

/* EAL judges the words before "--", except those that belong after it. */
static bool
parse_check_sides(int first, char **argv)
{
	struct eal_said said;

	eal_options_read(&said, first, argv);
	if (said.unknown != NULL && parse_is_own(said.unknown)) {
		say_error("%s: is an option of the switch and not of EAL: it goes after \"--\", "
			  "as in vhost-switch -l 0,1 -- --stats 5",
				said.unknown);
		return false;
	}
	if (said.bare != NULL) {
		say_error("%s: needs a value; vhost-switch -h -- lists the options of EAL",
				said.bare);
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

/* Reads the options of the command line on top of what a file said. */
static enum conf_result
parse_line(struct conf *c, int n, char **argv)
{
	char letter[] = "-?";
	const char *arg;
	int opt;

	optind = 0; /* 0, not 1: glibc then starts again, also for tests */
	while (n > 0 && (opt = getopt_long(n, argv, "+:p:Ph", conf_options, NULL)) != -1) {
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
		if (!conf_option(c, opt, optarg))
			return CONF_ERROR;
	}
	if (n > 0 && optind < n) {
		say_error("%s: is no option; see --help", argv[optind]);
		return CONF_ERROR;
	}
	return CONF_RUN;
}

/* Returns the value of the last --config, or NULL. What is wrong elsewhere, parse_line() finds. */
static const char *
parse_find_config(int n, char **argv)
{
	const char *name = NULL;
	int opt;

	optind = 0;
	while (n > 0 && (opt = getopt_long(n, argv, "+:p:Ph", conf_options, NULL)) != -1)
		if (opt == OPT_CONFIG)
			name = optarg;
	return name;
}

enum conf_result
conf_parse_with(struct conf *c, int argc, char **argv, const char *text, size_t len)
{
	int first = parse_own_options(argc, argv);
	const char *file = parse_find_config(argc - first, argv + first);
	enum conf_result result;
	bool ok = true, lasts;

	conf_defaults(c);
	/* No check of sides, and no file is read, if a word before "--" asks for help. */
	if ((first == argc || strcmp(argv[first], "--") == 0) && !parse_check_sides(first, argv))
		return CONF_ERROR;
	if (text != NULL)
		ok = conf_file_parse(c, text, len, "text");
	else if (file != NULL)
		ok = conf_file_read(c, file);
	if (!ok)
		return CONF_ERROR;
	c->node_from_file = c->node[0] != '\0';
	lasts = c->node_owned || c->node_mode_given;
	result = parse_line(c, argc - first, argv + first);
	return result != CONF_RUN || conf_complete(c, lasts) ? result : CONF_ERROR;
}

enum conf_result
conf_parse_given(struct conf *c, int argc, char **argv)
{
	enum conf_result result = conf_parse_with(c, argc, argv, NULL, 0);

	if (result == CONF_RUN)
		conf_port_limit_clients(c, c->client);
	return result;
}

enum conf_result
conf_parse(struct conf *c, int argc, char **argv)
{
	enum conf_result result = conf_parse_given(c, argc, argv);

	return result != CONF_RUN || conf_resolve(c) ? result : CONF_ERROR;
}
