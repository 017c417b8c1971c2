/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The dirty log tells a front end which pages of its guest were written, while the guest is migrated.
 *
 * The front end provides a bitmap (VHOST_USER_SET_LOG_BASE), with one bit for each 4 KiB of
 * guest-physical addresses, and switches it on and off with VHOST_F_LOG_ALL, also while the guest
 * runs. It reads the set bits, clears them, and copies those pages. So a bit is set after the
 * write, and before the burst is over: when GET_VRING_BASE is answered the guest is paused, and
 * every write has its bit. It does not matter when the guest sees the write, as its processors are
 * stopped by then.
 *
 * The bitmap belongs to the front end: it may truncate the file at any time (sigbus.h), and the
 * switch never reads it. The owner of the virtqueue (virtqueue.h) sets bits atomically, as several
 * rings share a byte. Nothing here is called while vq->logging is off.
 *
 * Workers call it. So does librte_vhost's thread: dirty_log_covers() and dirty_all() at any time, the other functions
 * for rings that it has not published yet.
 */
#ifndef GUEST_DIRTY_LOG_H
#define GUEST_DIRTY_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct guest_mem;
struct fragment;
struct virtqueue;

/*
 * Bytes of the largest useful bitmap: a bit for each page of all addresses that guests' processors
 * have (52 bits).
 */
#define DIRTY_LOG_MAX (UINT64_C(1) << (52 - 12 - 3))

/* Returns true if the bitmap has a bit for each page of the map's memory. */
bool dirty_log_covers(const struct guest_mem *m);

/* Notes that all of the map's memory may have been written. */
void dirty_all(const struct guest_mem *m);

/* Notes that `len` bytes at pointer `p` into guest memory were written. */
void dirty_write(const struct guest_mem *m, const void *p, uint64_t len);

/* Notes that the first `len` bytes of the fragments were written. */
void dirty_frags(const struct guest_mem *m, const struct fragment *frag, uint32_t len);

/* Notes the writes that returned chains, since used position `from`: see ring_publish(). */
void dirty_used(const struct virtqueue *vq, uint16_t from);

/* Notes the write of ring_suppress() or ring_ask(). */
void dirty_suppress(const struct virtqueue *vq);

#endif /* GUEST_DIRTY_LOG_H */
