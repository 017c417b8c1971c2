/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The front end's side of a vhost-user connection (vhost-user protocol, "Front-end
 * message types"): to a socket of this same process, where librte_vhost answers.
 *
 * cuse thread. A call waits for its answer; a connection that failed is of no
 * more use, as an answer may still be on its way: close it.
 */
#ifndef GUEST_CUSE_FRONT_H
#define GUEST_CUSE_FRONT_H

#include <stdint.h>

struct message;

/*
 * Connects to a socket and agrees that every message is acknowledged; no answer may
 * take longer than `patience` seconds. Returns the connection, and the features that
 * are offered. -EBUSY: it was not accepted (the
 * log says why); -errno of connecting; -EPROTO: no acknowledgements.
 */
int front_connect(const char *path, unsigned int patience, uint64_t *features);

/* Agrees on it again, after MSG_RESET_OWNER. 0, or an error as front_call()'s. */
int front_handshake(int sock, uint64_t *features);

/*
 * Sends a message with n descriptors, which stay the caller's, and waits: for the
 * answer, which takes the message's place, where the request has one, else for the
 * verdict. 0; -EINVAL: the back end refused; -ENOTCONN: it hung up, or does not
 * answer in time, or not as the protocol wants it.
 */
int front_call(int sock, struct message *m, const int *fd, unsigned int n);

#endif /* GUEST_CUSE_FRONT_H */
