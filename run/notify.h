/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Notifies the service manager by datagrams to the socket that it names in NOTIFY_SOCKET, as
 * sd_notify(3) describes. That protocol is stable, and takes fewer lines than libsystemd, which
 * would be one more library in a process that guests may attack. Without NOTIFY_SOCKET, as on a
 * terminal, nothing is sent.
 *
 * Main lcore alone.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
	int fd;               /* -1: there is no service manager */
	uint64_t watchdog_us; /* microseconds of silence after which we are ended; 0: never */
	bool silent;          /* it was logged that the service manager takes nothing */
};

/* Reads the environment. */
void notify_open(struct notify *n);

/*
 * Sends assignments, one a line: "STATUS=...". Does not wait for a manager that does not read: returns false if it
 * did not take them.
 */
bool notify_send(struct notify *n, const char *text);

/* Sends what is said only once, as "READY=1", and waits up to a second until it is taken. */
void notify_send_once(struct notify *n, const char *text);

void notify_close(struct notify *n);

#endif /* NOTIFY_H */
