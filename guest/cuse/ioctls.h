/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * vhost-net's ioctls in the terms of vhost-user: sizes, checks, messages.
 *
 * Pure functions, any thread. What is refused, and with which error, follows the
 * kernel's vhost-net, so that a client that was written for it finds its way.
 * Structs: linux/vhost.h, linux/vhost_types.h.
 */
#ifndef GUEST_CUSE_IOCTLS_H
#define GUEST_CUSE_IOCTLS_H

#include <stddef.h>
#include <stdint.h>

struct message;

/* Rings of an open: one for receiving, one for sending, as vhost-net's. */
#define IOCTL_RINGS 2

/* Regions that a table may have before joining: as vhost-net (max_mem_regions). */
#define IOCTL_REGIONS_MAX 64

/*
 * Feature bits that a client may be offered, as far as the switch has them. The
 * rest of vhost-user's are no business of vhost-net; its bit 27 means something
 * else there (that the back end adds the header itself).
 */
extern const uint64_t ioctl_features;

/*
 * What an ioctl reads from its caller and writes back, in bytes. A memory table
 * tells its size in its head: `in`, of which in_size bytes are there, is looked
 * at for that. 0, -ENOTTY for an ioctl that is not known, -E2BIG for too many
 * regions.
 */
int
ioctl_sizes(unsigned int cmd, const void *in, size_t in_size, size_t *want_in, size_t *want_out);

/*
 * The message that carries out an ioctl on one ring, whose argument (of the size
 * that ioctl_sizes() told) is at `arg`. *fd is the caller's descriptor that has
 * to go with it, or -1. 0; -ENOBUFS: there is no such ring; -EINVAL, -EOPNOTSUPP:
 * a value that vhost-net does not take either; -ENOTTY: not an ioctl on one ring.
 */
int ioctl_ring_message(unsigned int cmd, const void *arg, struct message *m, int *fd);

/*
 * Whether the kernel refuses an ioctl on a ring whose back end is set: its size
 * and its index stay what they are while it runs.
 */
int ioctl_wants_stopped(unsigned int cmd);

#endif /* GUEST_CUSE_IOCTLS_H */
