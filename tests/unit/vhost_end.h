/* SPDX-License-Identifier: BSD-3-Clause */
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
	int vid;		/* of the latest connection */
	unsigned int connections;	/* that there are */
	bool refuse;		/* further connections */
	bool running;		/* the latest device is set up */
	bool enabled[2];	/* its rings */
};

extern struct vhost_end vhost_end;

/* Group fixtures: EAL and the socket, and their end. */
int vhost_end_setup(void **state);
int vhost_end_teardown(void **state);

/*
 * Waits until the device runs, or does not; until a ring is enabled, or not; until so
 * many connections are there. librte_vhost acknowledges first, and tells then.
 */
void vhost_end_wait_running(bool running);
void vhost_end_wait_enabled(unsigned int ring, bool enabled);
void vhost_end_wait_connections(unsigned int n);

#endif /* VHOST_END_H */
