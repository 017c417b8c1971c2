/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The line of a switch that has started: see ready.h. */
#include <stdio.h>
#include <stdlib.h>

#include <rte_ethdev.h>

#include "base/version.h"
#include "base/log.h"
#include "conf/conf.h"
#include "run/ready.h"

/* How many sockets are named; nobody would read a line of 256. */
#define SOCKETS_NAMED 8u

/* Lists the sockets of one role, if there are any. */
static void
ready_put_sockets(FILE *out, const struct conf *c, bool client, const char *verb)
{
	unsigned int i, n = 0;

	for (i = 0; i < c->nports; i++) {
		if (!conf_port_used(&c->port[i]) || c->port[i].socket[0] == '\0' ||
				(c->port[i].role == ROLE_CLIENT) != client)
			continue;
		if (n < SOCKETS_NAMED)
			fprintf(out, "%s%s", n == 0 ? verb : " ", c->port[i].socket);
		n++;
	}
	if (n > SOCKETS_NAMED)
		fprintf(out, " and %u more", n - SOCKETS_NAMED);
}

static void
ready_put_served(FILE *out, const struct conf *c)
{
	if (c->node[0] != '\0')
		fprintf(out, ", serves /dev/%s", c->node);
	ready_put_sockets(out, c, false, ", serves ");
	ready_put_sockets(out, c, true, ", connects to ");
}

/* Returns the name of a DPDK port. */
static const char *
ready_port_name(uint16_t port, char name[RTE_ETH_NAME_MAX_LEN])
{
	return rte_eth_dev_get_name_by_port(port, name) == 0 ? name : "unknown";
}

/* Warns of a DPDK port without -p, which was most likely forgotten. */
static void
ready_say_forgotten(void)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t port = rte_eth_find_next(0);

	if (port >= RTE_MAX_ETHPORTS)
		return;
	say(WARNING,
			"DPDK has port %u (%s), and no uplink was chosen: -p 0x%llx makes it the "
			"uplink (--no-pci leaves NICs alone)\n",
			port, ready_port_name(port, name), 1ULL << port);
}

void
ready_say(const struct conf *c, unsigned int workers)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	char *line = NULL;
	size_t size;
	FILE *out;

	if (!c->uplink)
		ready_say_forgotten();
	out = open_memstream(&line, &size);
	if (out == NULL) {
		say(NOTICE, "ready\n");
		return;
	}
	fprintf(out, "version %s, %u worker%s", VHOST_SWITCH_VERSION, workers,
			workers == 1 ? "" : "s");
	ready_put_served(out, c);
	if (c->uplink)
		fprintf(out, ", uplink port %u (%s)", c->port_id,
				ready_port_name(c->port_id, name));
	else
		fputs(", no uplink", out);
	fclose(out);
	say(NOTICE, "ready: %s\n", line);
	free(line);
}
