/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The command line: see ctl.h. */
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>

#include "ctl.h"

#define DEFAULT_PATH "/run/vhost-switch/control"

static void
ctl_help(void)
{
	puts("Usage: vhost-switch-ctl [-j] [--socket PATH] COMMAND [ARGUMENT...]\n\n"
	     "Asks a running vhost-switch about its ports, and changes them.\n\n"
	     "  -j, --json      print results in JSON; not of watch and metrics\n"
	     "  --socket PATH   the switch's control socket ($VHOST_SWITCH_CONTROL, or\n"
	     "                  " DEFAULT_PATH ")\n"
	     "  --count N       watch, events: end after N\n"
	     "  --dry-run       apply: print what would change\n"
	     "  -h, --help      this text\n"
	     "  --version       print the version\n\n"
	     "Commands:");
	ctl_print_commands();
	puts("\nExit status: 0 done, 1 refused or not written, 2 wrong usage, 3 no switch.");
}

enum { OPT_SOCKET = 256, OPT_COUNT, OPT_DRY, OPT_VERSION };

/* Returns the value of --count. */
static int
ctl_count(const char *text)
{
	json_int_t count = ctl_number("--count", text);

	if (count < 1 || count > INT_MAX)
		ctl_die(CTL_USAGE, "--count %s: must be a number from 1 on", text);
	return count;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
			{"json", no_argument, NULL, 'j'},
			{"socket", required_argument, NULL, OPT_SOCKET},
			{"count", required_argument, NULL, OPT_COUNT},
			{"dry-run", no_argument, NULL, OPT_DRY},
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, OPT_VERSION},
			{NULL, 0, NULL, 0},
	};
	const char *path = getenv("VHOST_SWITCH_CONTROL");
	struct ctl c = {.path = path != NULL ? path : DEFAULT_PATH, .patience = CTL_PATIENCE_S};
	int opt;

	while ((opt = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			c.json = true;
			break;
		case OPT_SOCKET:
			c.path = optarg;
			break;
		case OPT_COUNT:
			c.count = ctl_count(optarg);
			break;
		case OPT_DRY:
			c.dry = true;
			break;
		case 'h':
			ctl_help();
			ctl_written();
			return CTL_OK;
		case OPT_VERSION:
			puts("vhost-switch-ctl " VHOST_SWITCH_VERSION);
			ctl_written();
			return CTL_OK;
		default:
			return CTL_USAGE;
		}
	}
	if (optind == argc)
		ctl_die(CTL_USAGE, "no command; see --help");
	return ctl_run(&c, argc - optind, argv + optind);
}
