/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which socket a new connection has, as librte_vhost does not tell: it accepts or connects, and then calls
 * the switch in the same thread. So this file has its own accept(2) and connect(2), which the linker prefers to
 * libc's for the libraries too, and which note the socket. To look for it among all open files by its path
 * would be wrong: front ends can send sockets with any name.
 *
 * librte_vhost's threads call it; each has a note of its own, and nothing is shared.
 */
#ifndef GUEST_NEW_SOCKET_H
#define GUEST_NEW_SOCKET_H

/*
 * Returns the socket that this thread has accepted or connected last, once; -1: there is none, as after the library
 * was linked to libc's functions.
 */
int new_socket_take(void);

#endif /* GUEST_NEW_SOCKET_H */
