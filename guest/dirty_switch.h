/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Switches the dirty log (dirty_log.h) on and off while a guest runs, without a pause:
 * no frame is dropped before the end of a migration.
 *
 * A front end begins with SET_LOG_BASE; then comes SET_FEATURES, the same as before except LOG_ALL,
 * and SET_VRING_ADDR for each ring, the same as before except for the log. Workers go on meanwhile,
 * as nothing that they use changes except vq->logging, and a grace period passes before the message
 * that has switched it is acknowledged.
 *
 * If a driver starts during a migration, its rings are set up with LOG_ALL, and SET_LOG_BASE comes
 * last (in QEMU 10.0): by then they are served, and writes into them were not noted, or noted in
 * the log of the driver before it, which nobody reads any more. So all bits of a log that comes to
 * such rings are set: perhaps after librte_vhost has answered it, but before the next message is
 * answered.
 *
 * Called by librte_vhost's thread, in the hooks around a message.
 */
#ifndef GUEST_DIRTY_SWITCH_H
#define GUEST_DIRTY_SWITCH_H

#include <stdbool.h>

struct guest;
struct message;

/*
 * Return true if SET_LOG_BASE, SET_FEATURES or SET_VRING_ADDR, which was not carried out yet, changes only the
 * log of a running device.
 */
bool dirty_switch_only_base(const struct guest *g, const struct message *m);
bool dirty_switch_only_features(const struct guest *g, const struct message *m);
bool dirty_switch_only_address(const struct guest *g, const struct message *m);

/*
 * After every message: sets all bits of a log that came late. A large log takes tens of milliseconds,
 * so the caller holds no lock for which other threads wait.
 */
void dirty_switch_late(struct guest *g);

/* After librte_vhost has acted on SET_LOG_BASE, or SET_FEATURES: switches the log of what workers use. */
void dirty_switch_base(struct guest *g, const struct message *m);
void dirty_switch_features(struct guest *g, const struct message *m);

/*
 * What later messages are compared with: after SET_VRING_ADDR; GET_VRING_BASE, by which librte_vhost
 * forgets the ring; and RESET_OWNER.
 */
void dirty_switch_address(struct guest *g, const struct message *m);
void dirty_switch_stop(struct guest *g, const struct message *m);
void dirty_switch_reset(struct guest *g, const struct message *m);

#endif /* GUEST_DIRTY_SWITCH_H */
