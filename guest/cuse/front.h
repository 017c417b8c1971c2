/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The front end's side of a vhost-user connection (vhost-user protocol, "Front-end message types")
 * to a socket of this same process, where librte_vhost answers.
 *
 * Called by the cuse thread. A call waits for its answer. A connection that failed must be closed,
 * as an answer may still arrive.
 */
#ifndef GUEST_CUSE_FRONT_H
#define GUEST_CUSE_FRONT_H

#include <stdint.h>

struct message;

/*
 * Connects to a socket and agrees that every message is acknowledged; no answer may take longer
 * than `patience` seconds. Returns the connection, and the offered features in *features; -EBUSY if
 * the connection was not accepted (the log says why); -errno of connecting; -EPROTO if there are no
 * acknowledgements.
 */
int front_connect(const char *path, unsigned int patience, uint64_t *features);

/*
 * Agrees on acknowledgements again, after MSG_RESET_OWNER. Returns 0, or an error like
 * front_call().
 */
int front_handshake(int sock, uint64_t *features);

/*
 * Sends a message with n file descriptors, which remain the caller's, and waits for the answer,
 * which replaces the message, or for the acknowledgement if the request has no answer. Returns 0;
 * -EINVAL if the back end refused; -ENOTCONN if it hung up, or did not answer in time or by the
 * protocol.
 */
int front_call(int sock, struct message *m, const int *fd, unsigned int n);

#endif /* GUEST_CUSE_FRONT_H */
