/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a change of ports comes to: see plan.h for the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/plan.h"
#include "run/rpc_events.h"

bool
plan_begin(struct plan *p)
{
	*p = (struct plan){
			.before = malloc(sizeof(*p->before)),
			.next = malloc(sizeof(*p->next)),
	};
	return p->before != NULL && p->next != NULL;
}

void
plan_end(struct plan *p)
{
	free(p->before);
	free(p->next);
	*p = (struct plan){.before = NULL};
}

/* Returns true if a port's socket has a path that is in use until another port has gone. */
static bool
plan_is_late(const struct plan *p, unsigned int index)
{
	unsigned int i;

	if (p->kind[index] != CHANGE_ADD)
		return false;
	for (i = 0; i < p->before->nports; i++)
		if (plan_removes(p, i) &&
				strcmp(p->before->port[i].socket, p->next->port[index].socket) == 0)
			return true;
	return false;
}

void
plan_compare(struct plan *p)
{
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++)
		p->kind[i] = conf_change(p->before, p->next, i);
	for (i = 0; i < SOCKET_MAX; i++)
		p->late[i] = plan_is_late(p, i);
}

struct conf *
plan_between(const struct plan *p, bool going)
{
	struct conf *mid = malloc(sizeof(*mid));
	struct conf_port *port;
	unsigned int i;

	if (mid == NULL)
		return NULL;
	*mid = *p->next;
	for (i = 0; i < SOCKET_MAX; i++) {
		port = &mid->port[i];
		if (plan_removes(p, i)) {
			*port = p->before->port[i];
			port->going = going;
			mid->nports = RTE_MAX(mid->nports, i + 1);
		} else if (p->late[i]) {
			memset(port, 0, sizeof(*port));
		}
	}
	conf_make_tables(mid);
	return mid;
}

char *
plan_reconnects(const struct plan *p)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	unsigned int i;

	if (out == NULL)
		return NULL;
	for (i = 0; i < SOCKET_MAX; i++)
		if (p->kind[i] == CHANGE_REMAKE)
			fprintf(out, "%s\n", p->next->port[i].name);
	return fclose(out) == 0 ? text : NULL;
}

void
plan_tell(const struct plan *p, struct rpc *rpc)
{
	static const char *const event[] = {[CHANGE_ADD] = "port.added",
			[CHANGE_LIVE] = "port.changed",
			[CHANGE_REMAKE] = "port.changed",
			[CHANGE_REMOVE] = "port.removed"};
	const struct conf *from;
	unsigned int i;

	for (i = 0; i < SOCKET_MAX; i++) {
		from = p->kind[i] == CHANGE_REMOVE ? p->before : p->next;
		if (p->kind[i] != CHANGE_NONE)
			rpc_event(rpc, event[p->kind[i]], "{s:s}", "port", from->port[i].name);
	}
}
