/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reading what librte_vhost knows of a guest into the form that workers use.
 * librte_vhost's thread, while the guest is paused.
 */
#ifndef GUEST_SNAPSHOT_H
#define GUEST_SNAPSHOT_H

#include <stdbool.h>

struct guest;

/* Reads the memory table. Returns false if there is none. */
bool snapshot_memory(struct guest *g);

/* Reads where the dirty log is; see dirty_log.h. Called while it is not in use. */
void snapshot_log(struct guest *g);

/*
 * Reads ring `index`: addresses, size, indices, call file descriptor, what was negotiated. Checks
 * its size and alignment (virtio 1.2 section 2.7), and that it lies in the guest's memory. Returns
 * false if it can't be used; if the guest is to blame, the ring is marked with the fault.
 */
bool snapshot_ring(struct guest *g, unsigned int index);

/* Hands the indices of a ring that was withdrawn back to librte_vhost. */
void snapshot_base(struct guest *g, unsigned int index);

#endif /* GUEST_SNAPSHOT_H */
