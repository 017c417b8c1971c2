/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guest memory that vanishes, or a guest's dirty log (dirty_log.h).
 *
 * Either is a file that its owner can shorten at any time, or that
 * finds no free hugepage when it is first touched: the access then raises
 * SIGBUS in the thread that made it. The handler replaces the whole mapping of that file by
 * zeroes, so that the access succeeds, and stops the guest. Nothing
 * outside of the mapping is touched. A SIGBUS anywhere else ends the process, as usual.
 *
 * The handler runs in any thread that touches a guest's memory, and takes no lock of ours: it reads the guests' maps by
 * their versions (memory.h).
 */
#ifndef GUEST_SIGBUS_H
#define GUEST_SIGBUS_H

struct guest;
struct guests;

/* Installs the handler. Main lcore, after EAL's start. */
void sigbus_init(struct guests *all);

/*
 * Notes the guest for which librte_vhost's thread works from here on: if memory vanishes that it maps
 * and reads before the guest's map is known, that guest is stopped.
 */
void sigbus_working_for(struct guest *g);

#endif /* GUEST_SIGBUS_H */
