/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A thread that makes and removes sockets while the switch runs. librte_vhost's functions for that
 * wait for its own thread, which may wait for workers; the main lcore must not.
 *
 * The main lcore gives jobs to it, one after the other, and takes them back when they are done. Their memory is the
 * giver's.
 */
#ifndef GUEST_REGISTRAR_H
#define GUEST_REGISTRAR_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct guests;
struct registrar;
struct wake;

struct job {
	struct job *next;
	bool serve;            /* make the socket; else end its guests, and remove it */
	uint16_t index;        /* of the port in the configuration */
	struct conf_port port; /* its settings, as resolved */
	bool ok;               /* the job was done */
	char error[256];       /* why the job could not be done */
};

/*
 * Starts the thread. It wakes the main lcore when a job is done. Returns NULL, with errno set, if it
 * can't be started.
 */
struct registrar *registrar_start(struct guests *all, struct wake *wake);

/* Ends the thread once it has done its jobs. */
void registrar_stop(struct registrar *r);

/* Gives a job to the thread, which uses it until registrar_take(). */
void registrar_give(struct registrar *r, struct job *j);

/* Takes back a job that is done. NULL: there is none. */
struct job *registrar_take(struct registrar *r);

#endif /* GUEST_REGISTRAR_H */
