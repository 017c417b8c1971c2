/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest: one vhost-user connection, one virtio-net device, one slot in the table of ports. The struct is kept for
 * later connections.
 *
 * librte_vhost runs the connection; our workers run the rings. During each message that may change
 * what workers use, the rings concerned (one, or all of the guest's) are paused: they are
 * withdrawn, a grace period passes, and the indices are passed to librte_vhost; after the message
 * everything is read from it again. So a ring always has one owner:
 *
 * 	paused:   librte_vhost's thread; librte_vhost holds the indices
 * 	running:  the workers; the snapshot in struct virtqueue holds them
 *
 * The memory map is read while all rings are paused, and stays while any is running.
 *
 * librte_vhost's thread calls everything here, except where it says otherwise; if there is another
 * such thread, as at exit, they take turns (vhost_user.c). It holds the library's own ring locks
 * meanwhile, so a worker must never wait for those: workers call no function of librte_vhost at
 * all.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct guest;
struct message;

#define PAIR_ANY UINT16_MAX

/* Ends the connection. */
void guest_disconnect(struct guest *g);

/*
 * Called before and after each message: stops workers before it, and lets them go on after it.
 * Returns false if the connection is to end because of this message.
 */
bool guest_before(struct guest *g, struct message *m);
bool guest_after(struct guest *g, const struct message *m);

/*
 * Called when the device was set up, and when it is being stopped. When it is set up first, it gets
 * a slot in the table of ports until its connection ends. Returns false if there is none, and the
 * connection ends now.
 */
bool guest_start(struct guest *g);
void guest_stop(struct guest *g);

/* Notes that ring `index` can be used from now on, or no longer. */
void guest_ring(struct guest *g, unsigned int index, bool ready);

/*
 * Has a worker poll the transmit rings of queue pair `pair`, or of all (PAIR_ANY), that are in use. Returns
 * how many those are, or -1 if a worker does not finish its burst.
 */
int guest_move(struct guest *g, uint16_t pair, unsigned int worker);

/* Returns how many of `rings` workers use now. Any thread. */
unsigned int guest_rings(const struct guest *g, uint32_t rings);

#endif /* GUEST_GUEST_H */
