/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * vhost-net's ioctls in the terms of vhost-user: sizes, checks, messages.
 *
 * Pure functions, any thread. They refuse the same values as the kernel's vhost-net, with the same
 * errors, as clients were written for that. Structs: linux/vhost.h, linux/vhost_types.h.
 */
#ifndef GUEST_CUSE_IOCTLS_H
#define GUEST_CUSE_IOCTLS_H

#include <stddef.h>
#include <stdint.h>

struct message;

/* Rings of a session: one for receiving and one for sending, as with vhost-net. */
#define IOCTL_RINGS 2

/* Regions that a table may have before they are joined, as with vhost-net (max_mem_regions). */
#define IOCTL_REGIONS_MAX 64

/*
 * Feature bits that a client may be offered, if the switch has them. vhost-net does not know the
 * other bits of vhost-user; its bit 27 means something else there (that the back end adds the
 * header itself).
 */
extern const uint64_t ioctl_features;

/*
 * Gets how many bytes an ioctl reads from its caller and writes back. A memory table has its size
 * in its head, which is read from `in` (in_size bytes). Returns 0, -ENOTTY for an unknown ioctl, or
 * -E2BIG for too many regions.
 */
int
ioctl_sizes(unsigned int cmd, const void *in, size_t in_size, size_t *want_in, size_t *want_out);

/*
 * Makes the message that carries out an ioctl on one ring, whose argument (of the size that
 * ioctl_sizes() told) is at `arg`. *fd is the caller's file descriptor to send with it, or -1.
 * Returns 0; -ENOBUFS if there is no such ring; -EINVAL or -EOPNOTSUPP for a value that vhost-net
 * does not take either; -ENOTTY if it is not an ioctl on one ring.
 */
int ioctl_ring_message(unsigned int cmd, const void *arg, struct message *m, int *fd);

/*
 * Returns true if the kernel refuses this ioctl on a ring whose back end is set: a ring's size and
 * index must not change while it runs.
 */
int ioctl_wants_stopped(unsigned int cmd);

#endif /* GUEST_CUSE_IOCTLS_H */
