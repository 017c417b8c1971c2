/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A network card of tests/driver whose back end is a vhost-net node: QEMU's ioctls, in QEMU's
 * order.
 *
 * 	vhostnet_open()		as when QEMU starts
 * 	vhostnet_start()	as when the guest's driver comes up
 * 	vhostnet_stop()		as when it resets the device
 * 	vhostnet_close()
 *
 * Between start and stop the calls of nic.h carry frames. Functions return 0 or a negative errno.
 * One thread a card.
 */
#ifndef CUSE_VHOSTNET_H
#define CUSE_VHOSTNET_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel's header has a struct vr_ring; ours is another. */
#define vring linux_vring
#include <linux/vhost.h>
#undef vring

#include "nic.h"

#define VHOSTNET_RINGS 2

struct vhostnet {
	int fd;     /* of the node */
	int tap;    /* what NET_SET_BACKEND gets */
	int masked; /* the eventfd that is the call fd while no driver is up */
	uint64_t offered;
	struct nic nic;
};

/* Makes an ioctl. Returns 0 or a negative errno. */
int vhostnet_ioctl(int fd, unsigned long request, const void *arg);

int vhostnet_open(struct vhostnet *v, const char *node, const struct nic_opts *opts);

/* Starts it from a thread that is not the process's first, like a vCPU of QEMU. */
int vhostnet_start(struct vhostnet *v);

/* Stops it. `base` gets the VHOSTNET_RINGS indices, and may be NULL. */
int vhostnet_stop(struct vhostnet *v, uint16_t *base);

void vhostnet_close(struct vhostnet *v);

/* The steps of a start, for tests that do them wrongly. */

int vhostnet_set_mem(const struct vhostnet *v);

int vhostnet_set_state(int fd, unsigned long request, unsigned ring, unsigned num);

int vhostnet_set_addr(const struct vhostnet *v, unsigned ring);

/* SET_VRING_KICK, _CALL, _ERR and NET_SET_BACKEND. */
int vhostnet_set_fd(int fd, unsigned long request, unsigned ring, int value);

#endif
