/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest: one vhost-user connection, one virtio-net device, one port.
 *
 * librte_vhost runs the connection; our workers run the rings. Around each
 * message that may change what workers use, the rings concerned (one, or all of the
 * guest's) are paused: they are withdrawn, a grace period passes, the indices are handed
 * to librte_vhost; and afterwards everything is read from it anew. So there is always
 * one owner of a ring:
 *
 *	paused:   librte_vhost's thread; librte_vhost holds the indices
 *	running:  the workers; the snapshot in struct virtqueue holds them
 *
 * The memory map is read while all rings are paused, and stays while any is running.
 *
 * librte_vhost's thread calls everything here, but where it says otherwise; where that is
 * another, as at exit, they take turns (vhost_user.c). It
 * holds the library's own ring locks meanwhile, so a worker must never wait for
 * those: workers call no function of librte_vhost at all.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct guest;
struct message;

/* The connection is over. */
void guest_disconnect(struct guest *g);

/*
 * Around each message: stops workers before it, lets them go on after it. False:
 * the connection is to end, over this message.
 */
bool guest_before(struct guest *g, struct message *m);
bool guest_after(struct guest *g, const struct message *m);

/*
 * The device was set up, or is being stopped. When it is set up first, it gets a place in
 * the table of ports, until its connection ends. False: there is none, and it ends now.
 */
bool guest_start(struct guest *g);
void guest_stop(struct guest *g);

/* Ring `index` can be used from now on, or no longer. */
void guest_ring(struct guest *g, unsigned int index, bool ready);

/* How many of `rings` workers use now. Any thread. */
unsigned int guest_rings(const struct guest *g, uint32_t rings);

#endif /* GUEST_GUEST_H */
