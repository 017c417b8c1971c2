/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The socket to which the cuse back end itself connects.
 *
 * It has a name for a moment only, mode 0600, in a folder of its own below EAL's runtime folder:
 * librte_vhost can bind to nothing else. Then both are removed, and the socket is reached through a
 * handle that this process keeps. So nobody else can connect, and nothing remains, however the
 * process ends.
 *
 * Main lcore; the path is read by the cuse thread.
 */
#ifndef GUEST_CUSE_PRIVATE_H
#define GUEST_CUSE_PRIVATE_H

#include <stdbool.h>

#include "conf/conf.h"

struct guests;

struct private_socket {
	char bound[SOCKET_PATH_MAX]; /* its path for librte_vhost; "": it is not served */
	char path[32];               /* its path for connect(2), by our handle */
	int handle;                  /* -1: there is none */
};

/*
 * Makes the socket and serves it. Called after vhost_user_start(). Returns false after an error was
 * logged.
 */
bool private_serve(struct private_socket *s, struct guests *guests);

/* Ends serving it. Called before vhost_user_stop(). */
void private_end(struct private_socket *s);

#endif /* GUEST_CUSE_PRIVATE_H */
