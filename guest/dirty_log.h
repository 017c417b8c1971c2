/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Telling a front end which pages of its guest were written, while it migrates it.
 *
 * It gives a bitmap (VHOST_USER_SET_LOG_BASE), one bit for each 4 KiB of guest-physical
 * addresses, and switches it on and off with VHOST_F_LOG_ALL, also while the guest runs.
 * It takes pages whose bits are set, clears those, and copies the pages. So a bit is
 * set after the write, and before the burst is over: when GET_VRING_BASE is answered,
 * by when the guest is paused, every write has its bit. When the guest sees the write
 * does not matter: its processors are stopped by then.
 *
 * The bitmap belongs to the front end: it may shorten the file at any time (sigbus.h), and
 * what it says is never read. Bits are set by whoever owns the virtqueue (virtqueue.h),
 * atomically, as several rings share a byte. Nothing is called while vq->logging is off.
 */
#ifndef GUEST_DIRTY_LOG_H
#define GUEST_DIRTY_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct guest_mem;
struct fragment;
struct virtqueue;

/*
 * Bytes of the largest bitmap that makes sense: a bit a page of all addresses that
 * guests' processors have (52 bits).
 */
#define DIRTY_LOG_MAX (UINT64_C(1) << (52 - 12 - 3))

/* Whether the bitmap has a bit for each page of the map's memory. */
bool dirty_log_covers(const struct guest_mem *m);

/* Notes that all of the map's memory may have been written. */
void dirty_all(const struct guest_mem *m);

/* Notes that `len` bytes at pointer `p` into guest memory were written. */
void dirty_write(const struct guest_mem *m, const void *p, uint64_t len);

/* The same for the first `len` bytes of the fragments. */
void dirty_frags(const struct guest_mem *m, const struct fragment *frag, uint32_t len);

/* Notes what returning chains wrote, since used position `from`: see ring_publish(). */
void dirty_used(const struct virtqueue *vq, uint16_t from);

/* Notes what ring_suppress() wrote. */
void dirty_suppress(const struct virtqueue *vq);

#endif /* GUEST_DIRTY_LOG_H */
