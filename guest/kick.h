/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A ring's kick file descriptor, by which its driver wakes a worker that sleeps. It is an eventfd: a read of any other
 * file takes a lock of that file first, whatever the flags say. Another reader with the same open file, in a page
 * fault on memory that is withheld, may hold it without end.
 *
 * Called by the worker that polls the ring, while that is not withdrawn. The file descriptor is librte_vhost's.
 */
#ifndef GUEST_KICK_H
#define GUEST_KICK_H

/*
 * Takes what was written to an eventfd, so that it can be waited for again. Never waits,
 * even if its owner has made it block.
 */
void kick_take(int fd);

#endif /* GUEST_KICK_H */
