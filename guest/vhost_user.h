/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The vhost-user back end: sockets, and the callbacks of librte_vhost that make guests of
 * connections.
 *
 * librte_vhost's threads make the callbacks, the main lcore and the thread of registrar.h call what is below. One
 * mutex of vhost_user.c guards all guests: who holds it has its turn. The main lcore waits for it for some
 * milliseconds at most, except at start and at the end.
 */
#ifndef GUEST_VHOST_USER_H
#define GUEST_VHOST_USER_H

#include <stdbool.h>

struct conf;
struct conf_port;
struct guests;

/*
 * Serves (or with --client connects to) every socket of all->conf. A stale socket
 * file is replaced. Returns false, after an error was printed, if that fails. Main lcore, once workers run.
 */
bool vhost_user_start(struct guests *all);

/*
 * Serves the socket of one more port, which has this index. Returns false, after an error was printed, if that
 * fails. May wait for librte_vhost: see registrar.h, whose thread calls it.
 */
bool vhost_user_add(const struct conf_port *p, unsigned int conf_port);

/*
 * Ends the guests of a port, and no longer serves its socket. If the port is not `going` in the
 * present settings, guests may connect once more until then. May wait, and is
 * called by registrar.h's thread, as vhost_user_add().
 */
void vhost_user_remove(struct guests *all, unsigned int conf_port, const char *path);

/* Connections of a port, set up or not. */
struct connections {
	unsigned int n;
	unsigned int no_memory; /* those that chose features, as a driver is there, and share no memory */
};

/* Counts a port's connections. Returns false if librte_vhost's thread is not done soon. Main lcore. */
bool
vhost_user_connections(const struct guests *all, unsigned int conf_port, struct connections *count);

/* Which rings are to move, and to which worker. */
struct ring_move {
	unsigned int conf_port; /* index of the configuration's port; SOCKET_MAX: any */
	uint16_t device;        /* slot of the guest; SLOT_NONE: all of the port's */
	uint16_t pair;          /* queue pair, or PAIR_ANY */
	unsigned int worker;
};

/*
 * Moves rings, and notes in moved[] the devices that have such rings. Returns false if librte_vhost's
 * thread, or a worker, is not done soon: then some rings may have moved. Main lcore.
 */
bool vhost_user_move(struct guests *all, const struct ring_move *m, bool moved[]);

/* Asked while no guest comes or goes. Returns false if something must not be done. */
typedef bool (*guests_may)(void *arg);

/*
 * Makes guests use other settings, at once. Returns false if librte_vhost's thread is not done soon, or if `may`,
 * unless that is NULL, returns false. Main lcore.
 */
bool vhost_user_set_conf(struct guests *all, const struct conf *next, guests_may may, void *arg);

/*
 * Serves one more socket, whatever --client says. Returns false, after an error was printed, if that fails.
 * The second call ends that. Main lcore, between vhost_user_start() and vhost_user_stop().
 */
bool vhost_user_serve(struct guests *all, const char *path);
void vhost_user_unserve(const char *path);

/*
 * Removes the files of the sockets that are served, and nothing else: for a process that ends
 * at once, as librte_vhost waits for a worker that hangs. After vhost_user_start() was true. Main lcore.
 */
void vhost_user_abandon(const struct guests *all);

/* Ends all connections and removes the sockets. Main lcore, after the workers. */
void vhost_user_stop(struct guests *all);

#endif /* GUEST_VHOST_USER_H */
