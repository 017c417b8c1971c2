/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Stops guests that broke the rules: see fault.h for the contract. */
#include "base/atomic.h"
#include "base/log.h"
#include "guest/connect.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/fault_reason.h"
#include "guest/guests.h"

void
guest_fault(struct guest *g, uint8_t reason)
{
	unsigned int i;

	for (i = 0; i < RINGS_MAX; i++)
		vq_fault(&g->ring[i], reason);
}

/*
 * Returns a guest's fault that was not logged yet, and the guest's name at that time, or
 * FAULT_NONE. From now on it counts as logged.
 */
static uint8_t
fault_new(struct guest *g, char name[GUEST_WHO_MAX])
{
	uint8_t fault = FAULT_NONE;
	unsigned int i;

	rte_spinlock_lock(&g->fault_lock);
	for (i = 0; i < RINGS_MAX && fault == FAULT_NONE && !g->fault_logged; i++)
		fault = load_relaxed(&g->ring[i].fault);
	if (fault != FAULT_NONE) {
		g->fault_logged = true;
		guest_who(g, name);
		guest_fault(g, fault);
	}
	rte_spinlock_unlock(&g->fault_lock);
	return fault;
}

uint8_t
guest_fault_reason(const struct guest *g)
{
	uint8_t fault = FAULT_NONE;
	unsigned int i;

	for (i = 0; i < RINGS_MAX && fault == FAULT_NONE; i++)
		fault = load_relaxed(&g->ring[i].fault);
	return fault;
}

void
guest_forget_fault(struct guest *g)
{
	rte_spinlock_lock(&g->fault_lock);
	guest_fault(g, FAULT_NONE);
	g->fault_logged = false;
	rte_spinlock_unlock(&g->fault_lock);
}

void
guest_check(struct guest *g)
{
	char name[GUEST_WHO_MAX];
	uint8_t fault = fault_new(g, name);

	if (fault == FAULT_NONE)
		return;
	add_relaxed(&g->all->faults, 1);
	say(WARNING, "%s stopped: %s; it is served again once its driver has reset it\n", name,
			fault_name(fault));
}
