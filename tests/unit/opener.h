/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One open of the node: a session whose ioctls are those of a real process (client.h), and are
 * carried out by the real librte_vhost (vhost_end.h).
 */
#ifndef UNIT_OPENER_H
#define UNIT_OPENER_H

#include <linux/vhost.h>

#include "client.h"
#include "guest/cuse/session.h"
#include "unit.h"
#include "vhost_end.h"

#define OPENER_RAM (1u << 20) /* bytes */
#define OPENER_RING 256u      /* entries of a ring */
#define OPENER_AREA 0x10000u  /* bytes for a ring's three areas */
#define OPENER_TAP 1          /* any file descriptor will do as the tap */

struct opener {
	struct session session;
	struct client client;
	uint8_t *ram;         /* the client's, mapped here too */
	int call[2], kick[2]; /* eventfds, with the same numbers in the client */
	int no_event;         /* a file descriptor that is no eventfd */
	unsigned int files;   /* open here before the session was */
};

/* Fixtures of a test, in a group with those of vhost_end.h. */
int opener_setup(void **state);
int opener_teardown(void **state);

/* ioctls, by what they carry. Each returns what the session answers. */
int opener_simple(struct opener *o, unsigned int cmd);
int opener_set_u64(struct opener *o, unsigned int cmd, uint64_t value);
int opener_set_state(struct opener *o, unsigned int cmd, unsigned int index, unsigned int num);
int opener_set_file(struct opener *o, unsigned int cmd, unsigned int index, int fd);
int opener_set_addr(struct opener *o, unsigned int index);
int opener_set_table(struct opener *o, unsigned int n, const struct vhost_memory_region *r);
int opener_set_ram(struct opener *o); /* a table with all of its RAM */
uint64_t opener_get_features(struct opener *o);

/* The ioctls of QEMU, in its order: when it starts, and when the guest's driver comes up. */
void opener_qemu_start(struct opener *o);
void opener_driver_up(struct opener *o, unsigned int base);

/* librte_vhost has ring i as the client set it up. */
void opener_check_ring(struct opener *o, unsigned int i);

#endif /* UNIT_OPENER_H */
