/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The cuse back end: /dev/<name>, which answers vhost-net's ioctls.
 *
 * A bridge within this process: each open of the node becomes a connection to a
 * private socket, which guest/vhost_user.c serves like any other; behind it all
 * of a guest's life is the same. One thread of its own (the cuse thread) takes
 * the node's requests; it never touches the data path.
 *
 * Main lcore.
 */
#ifndef GUEST_CUSE_CUSE_H
#define GUEST_CUSE_CUSE_H

#include <stdbool.h>

struct cuse;
struct guests;

#ifdef VHOST_CUSE

/*
 * Makes the node that the configuration names, if it names one, and serves it. False: why
 * was said. After vhost_user_start().
 */
bool cuse_start(struct cuse **made, struct guests *guests);

/* Removes the node and ends its guests. Before vhost_user_stop(). */
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
