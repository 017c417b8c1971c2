/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The other end of the cuse back end's connections in its unit tests: a socket that librte_vhost
 * serves, with callbacks that only note what happened.
 */
#ifndef VHOST_END_H
#define VHOST_END_H

#include <stdbool.h>

struct vhost_end {
	char folder[32];
	char path[48];
	int vid;                  /* of the latest connection */
	unsigned int connections; /* open ones */
	bool refuse;              /* refuse further connections */
	bool running;             /* the latest device is set up */
	bool enabled[2];          /* its rings */
};

extern struct vhost_end vhost_end;

/* Group fixtures: EAL and the socket, and their end. */
int vhost_end_setup(void **state);
int vhost_end_teardown(void **state);

/*
 * librte_vhost acknowledges a message first, and calls back about what it starts afterwards. Here
 * the callback comes so many milliseconds later, which exposes code that takes one for the other.
 */
#define LATE_MS 20

/* The device must run, or a ring be enabled, now: the ioctl that had to do it has returned. */
void vhost_end_check_running(void);
void vhost_end_check_enabled(unsigned int ring);

/* Each waits for one thing: the device does not run any more; a ring is disabled; so many connections are open. */
void vhost_end_wait_stopped(void);
void vhost_end_wait_disabled(unsigned int ring);
void vhost_end_wait_connections(unsigned int n);

/*
 * Waits until n file descriptors are open here. librte_vhost reports that a connection is gone before it
 * closes its file descriptors.
 */
void vhost_end_wait_files(unsigned int n);

#endif /* VHOST_END_H */
