/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Who is at the other end of a guest's connection, for the log.
 *
 * A front end that leaves as soon as it has seen the features needs one that is not offered:
 * its guest started when the switch offered more. QEMU with reconnect= then comes again every
 * second, for ever. That is logged once a process, and its comings and goings no more until
 * it stays.
 *
 * All of it belongs to librte_vhost's thread.
 */
#ifndef GUEST_PEER_H
#define GUEST_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "guest/slot.h"

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
	bool announced; /* that it connected was logged */
	char name[SLOT_NAME_MAX];
	char socket[SOCKET_PATH_MAX];
};

/* A connection: logs who connected where, unless it is known to leave. `fd` -1: not known. */
void peer_connected(struct peer *p, struct peers *all, uint16_t device, const char *name,
		const char *socket, int fd);

/* Looks at a message of the connection. */
void peer_message(struct peer *p, struct peers *all, uint16_t device, const struct message *m);

/* The connection is over; `doomed`: by the switch, for a reason that was logged or at its own end. */
void peer_disconnected(struct peer *p, struct peers *all, const struct conf *c, uint16_t device,
		bool doomed);

#endif /* GUEST_PEER_H */
