/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Names front ends: see peer.h for the contract. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "guest/peer.h"
#include "base/log.h"
#include "base/process.h"

/*
 * A front end that misses a feature leaves within this time: QEMU does, after some messages without
 * a pause. A guest that ends before its driver chose features was connected while it booted.
 */
#define SOON_S 2

/* Returns the process that connected or, in --client mode, that listens. */
static pid_t
peer_pid_of(int fd)
{
	struct ucred who = {.pid = -1};
	socklen_t len = sizeof(who);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return -1;
	return who.pid;
}

/* Processes of other PID namespaces have no number here, so they can't be recognised. */
static bool
peer_is_shy(const struct peers *all, pid_t pid)
{
	unsigned int i;

	for (i = 0; pid > 0 && i < PEERS_SHY; i++)
		if (all->shy[i] == pid)
			return true;
	return false;
}

static void
peer_forget(struct peers *all, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < PEERS_SHY; i++)
		if (all->shy[i] == pid)
			all->shy[i] = 0;
}

static void
peer_announce(const struct peer *p)
{
	char who[PROCESS_TEXT];

	if (p->pid == getpid()) { /* the cuse back end's own connection for a session */
		say(INFO, "port %s: connected, by the cuse back end\n", p->name);
		return;
	}
	process_text(p->pid, who, sizeof(who));
	say(INFO, "port %s: connected: socket %s, %s\n", p->name, p->socket, who);
}

void
peer_connected(struct peer *p, const char *name, const char *socket, int fd)
{
	*p = (struct peer){.since = rte_get_timer_cycles(), .pid = peer_pid_of(fd)};
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->socket, sizeof(p->socket), "%s", socket);
}

void
peer_asks(struct peer *p)
{
	p->asked = true;
}

void
peer_agrees(struct peer *p, struct peers *all)
{
	if (p->agreed)
		return;
	p->agreed = true;
	peer_forget(all, p->pid);
	peer_announce(p);
}

/* Returns the options that would offer more; empty: everything is offered. */
static const char *
peer_not_offered(const struct conf_port *c)
{
	static const char *const options[2][3] = {
			{"--mergeable 1, --tx-csum 1, --tso 1", "--mergeable 1, --tso 1",
					"--mergeable 1"},
			{"--tx-csum 1, --tso 1", "--tso 1", ""},
	};

	return options[c->mergeable == CHOICE_YES]
		      [c->tso == CHOICE_YES ? 2 : c->csum == CHOICE_YES];
}

/* Returns true if it left because of the features that it saw. */
static bool
peer_missed_a_feature(const struct peer *p)
{
	uint64_t stayed = rte_get_timer_cycles() - p->since;

	return p->asked && !p->agreed && stayed < SOON_S * rte_get_timer_hz();
}

void
peer_disconnected(const struct peer *p, struct peers *all, const struct conf_port *c, bool doomed)
{
	const char *more = peer_not_offered(c);
	char who[PROCESS_TEXT];

	if (doomed || !peer_missed_a_feature(p) || more[0] == '\0' || peer_is_shy(all, p->pid))
		return;
	process_text(p->pid, who, sizeof(who));
	say(WARNING,
			"socket %s: %s left when it saw what is offered; if its guest began with more, "
			"restart the guest, or the switch with what it had then of: %s\n",
			p->socket, who, more);
	all->shy[all->next++ % PEERS_SHY] = p->pid;
}
