/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A ring's kick file descriptor, by which its driver wakes a worker that sleeps. */
#ifndef GUEST_KICK_H
#define GUEST_KICK_H

/*
 * Takes what was written to a kick file descriptor, so that it can be waited for again. Never waits,
 * even if its owner has made it block. Called by the worker that polls the ring, while the ring is not
 * withdrawn.
 */
void kick_take(int fd);

#endif /* GUEST_KICK_H */
