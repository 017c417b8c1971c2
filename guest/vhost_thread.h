/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * librte_vhost's own thread, which serves all connections.
 *
 * Until DPDK 24.11 it waits in poll(2) for up to a second at a time, and a socket that was made
 * meanwhile is not among those that it waits for: whoever connects to it gets no answer before that
 * second is over. Later releases use epoll, which notices.
 *
 * No state; the thread that made a socket calls it.
 */
#ifndef GUEST_VHOST_THREAD_H
#define GUEST_VHOST_THREAD_H

/*
 * Has the thread look at its sockets again, by ending its poll(2), after sockets were made.
 */
void vhost_thread_wake(void);

#endif /* GUEST_VHOST_THREAD_H */
