/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Switching the log of written pages (dirty_log.h) on and off while a guest runs, without
 * pausing it: a migration costs no frame before its end.
 *
 * A front end begins with SET_LOG_BASE; then SET_FEATURES, the same but for LOG_ALL; and
 * SET_VRING_ADDR for each ring, the same but for what concerns the log. Workers go on
 * meanwhile, as what they use does not change but for vq->logging, and a grace period
 * passes before the message that has switched it is acknowledged.
 *
 * A driver that starts in the midst of a migration has its rings set up with LOG_ALL, and
 * SET_LOG_BASE comes last (so does QEMU 10.0): by then they are served, and what was written
 * into them was not noted, or in the log of the driver before it, which nobody reads any
 * more. So of a log that comes to such rings all bits are set: perhaps after librte_vhost has
 * answered it, but before the next message is.
 *
 * librte_vhost's thread, in the hooks around a message.
 */
#ifndef GUEST_DIRTY_SWITCH_H
#define GUEST_DIRTY_SWITCH_H

#include <stdbool.h>

struct guest;
struct message;

/* Whether a message, not yet acted on, is such a one: it changes nothing but the log. */
bool dirty_switch_can(const struct guest *g, const struct message *m);

/*
 * Whether librte_vhost need not see it. SET_VRING_ADDR would set it back to where the used index
 * stood when it last knew, and it would warn of that.
 */
bool dirty_switch_alone(const struct message *m);

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
