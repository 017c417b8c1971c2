/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The other end of the cuse back end's connections in its unit tests: a socket that
 * librte_vhost serves, with callbacks that do no more than to note what happened.
 */
#ifndef VHOST_END_H
#define VHOST_END_H

#include <stdbool.h>

struct vhost_end {
	char folder[32];
	char path[48];
	int vid;                  /* of the latest connection */
	unsigned int connections; /* that there are */
	bool refuse;              /* further connections */
	bool running;             /* the latest device is set up */
	bool enabled[2];          /* its rings */
};

extern struct vhost_end vhost_end;

/* Group fixtures: EAL and the socket, and their end. */
int vhost_end_setup(void **state);
int vhost_end_teardown(void **state);

/*
 * librte_vhost acknowledges a message first, and tells then of what it starts; here so
 * many milliseconds later, so that whoever takes the one for the other is found out.
 */
#define LATE_MS 20

/* The device runs, a ring is enabled; now, as the ioctl that was to do it has returned. */
void vhost_end_check_running(void);
void vhost_end_check_enabled(unsigned int ring);

/*
 * Waits until the device does not run any more; until a ring is disabled; until so many
 * connections are there.
 */
void vhost_end_wait_stopped(void);
void vhost_end_wait_disabled(unsigned int ring);
void vhost_end_wait_connections(unsigned int n);

/*
 * ... until n descriptors are open here: librte_vhost says that a connection is gone before
 * it closes what it had.
 */
void vhost_end_wait_files(unsigned int n);

#endif /* VHOST_END_H */
