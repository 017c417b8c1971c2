/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The cuse back end: /dev/<name>, which answers vhost-net's ioctls.
 *
 * It works within this process: each open of the node is a session, with a connection to a private
 * socket, which guest/vhost_user.c serves like any other. So the rest of a guest's life is the
 * same. The cuse thread handles the node's requests; it never touches the data path.
 *
 * The main lcore makes and ends it.
 */
#ifndef GUEST_CUSE_CUSE_H
#define GUEST_CUSE_CUSE_H

#include <stdbool.h>

struct cuse;
struct guests;

#ifdef VHOST_CUSE

/*
 * Makes the node that the configuration names, if it names one, and serves it. Called after
 * vhost_user_start(). Returns false after an error was logged.
 */
bool cuse_start(struct cuse **made, struct guests *guests);

/* Removes the node and ends its guests. Called before vhost_user_stop(). */
void cuse_stop(struct cuse *c);

#else

static inline bool
cuse_start(struct cuse **made, struct guests *guests)
{
	*made = NULL;
	(void)guests;
	return true;
}

static inline void
cuse_stop(struct cuse *c)
{
	(void)c;
}

#endif

#endif /* GUEST_CUSE_CUSE_H */
