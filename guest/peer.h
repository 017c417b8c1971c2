/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The process at the other end of a guest's connection, for the log.
 *
 * A front end that chooses features stays: only then a connection is logged. Silent connections are
 * not logged, so that they can't fill the log.
 *
 * A front end that leaves as soon as it has seen the features needs one that is not offered: its
 * guest started when the switch offered more. QEMU with reconnect= then connects again every
 * second, without end. That is logged once for each process, until it stays.
 *
 * All of it belongs to librte_vhost's thread; where there are two, they take turns (vhost_user.c).
 */
#ifndef GUEST_PEER_H
#define GUEST_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

/*
 * How many processes that left because of the features are remembered; the oldest is forgotten
 * first. One forgotten too early is only told of once more.
 */
#define PEERS_SHY 64

/* The remembered processes; there is one of these in the switch. */
struct peers {
	pid_t shy[PEERS_SHY];
	unsigned int next;
};

/* The peer of one connection. */
struct peer {
	uint64_t since; /* rte_get_timer_cycles() at the connection */
	pid_t pid;      /* 0: in another PID namespace; -1: not known */
	bool asked;     /* it has seen the features */
	bool agreed;    /* it has chosen features: it stays */
	char name[PORT_NAME_MAX + 1];
	char socket[SOCKET_PATH_MAX];
};

/* Notes a connection to a port, by its name and its socket. `fd` -1: not known. */
void peer_connected(struct peer *p, const char *name, const char *socket, int fd);

/* Notes that the front end asks for the features. */
void peer_asks(struct peer *p);

/* Notes that it has chosen some, and logs at the first time which process connected. */
void peer_agrees(struct peer *p, struct peers *all);

/*
 * Notes the end of a connection to a port, with the settings *c. `doomed`: the switch ended it, for
 * a reason that was logged, or at its own end.
 */
void
peer_disconnected(const struct peer *p, struct peers *all, const struct conf_port *c, bool doomed);

#endif /* GUEST_PEER_H */
