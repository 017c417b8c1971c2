/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Stops the rings of guests that broke the rules, and logs that once.
 *
 * Workers mark a ring (vq_fault() of virtqueue.h); main lcore and librte_vhost's thread look for
 * such marks.
 */
#ifndef GUEST_FAULT_H
#define GUEST_FAULT_H

#include <stdint.h>

struct guest;

/*
 * If the guest broke the rules, stops all of its rings and logs that once. Main lcore or
 * librte_vhost's thread.
 */
void guest_check(struct guest *g);

/* Returns why a guest is stopped, an enum fault_reason; FAULT_NONE: it is not. Any thread. */
uint8_t guest_fault_reason(const struct guest *g);

/* Stops all rings of a guest for a reason of enum fault_reason. Any thread. */
void guest_fault(struct guest *g, uint8_t reason);

/*
 * Forgets a fault: the guest is set up again, and later faults are new ones. librte_vhost's thread.
 */
void guest_forget_fault(struct guest *g);

#endif /* GUEST_FAULT_H */
