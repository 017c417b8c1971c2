/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Who is at the other end of a guest's connection, for the log.
 *
 * One that chooses features stays: that is when a connection is logged. Those that say nothing
 * are not, so that they fill no log.
 *
 * A front end that leaves as soon as it has seen the features needs one that is not offered:
 * its guest started when the switch offered more. QEMU with reconnect= then comes again every
 * second, for ever. That is logged once a process, until it stays.
 *
 * All of it belongs to librte_vhost's thread; where there are two, they take turns (vhost_user.c).
 */
#ifndef GUEST_PEER_H
#define GUEST_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

struct message;

/* Processes that left at the features and are remembered; of more, the oldest is forgotten. */
#define PEERS_SHY 64

/* The processes; one in the switch. */
struct peers {
	pid_t shy[PEERS_SHY];
	unsigned int next;
};

/* One connection's. */
struct peer {
	uint64_t since; /* rte_get_timer_cycles() at the connection */
	pid_t pid;      /* 0: of another PID namespace; -1: not known */
	bool asked;     /* it has seen the features */
	bool agreed;    /* it has chosen some: it stays */
	char name[PORT_NAME_MAX + 1];
	char socket[SOCKET_PATH_MAX];
};

/* A connection to a port, by its name and its socket. `fd` -1: not known. */
void peer_connected(struct peer *p, const char *name, const char *socket, int fd);

/* Looks at a message of the connection; logs who connected, if that is known now. */
void peer_message(struct peer *p, struct peers *all, const struct message *m);

/*
 * The connection to a port with the settings *c is over; `doomed`: by the switch, for a reason
 * that was logged or at its own end.
 */
void
peer_disconnected(const struct peer *p, struct peers *all, const struct conf_port *c, bool doomed);

#endif /* GUEST_PEER_H */
