/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * How a packed ring is written by hand (virtio 1.2 section 2.8): positions, wrap counters, and the flags
 * that tell who owns a descriptor. vring.h has the orderly interface for both formats.
 *
 * No state; any thread.
 */
#ifndef DRIVER_VRING_PACKED_H
#define DRIVER_VRING_PACKED_H

#include <stdbool.h>
#include <stdint.h>

/* Flags of a descriptor, besides those that split rings have too. */
#define VR_DESC_AVAIL (1u << 7)
#define VR_DESC_USED (1u << 15)

/* Flags of an event area. */
#define VR_EVENT_ENABLE 0
#define VR_EVENT_DISABLE 1
#define VR_EVENT_DESC 2

/* Where a packed ring begins, in SET_VRING_BASE: position 0, with a wrap counter of 1. */
#define VR_PACKED_START 0x8000u

struct vr_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

struct vr_event {
	uint16_t off_wrap;
	uint16_t flags;
};

/* A position, and the wrap counter there. */
struct vr_place {
	uint16_t at;
	bool wrap;
};

/* Returns the AVAIL and USED flags of a descriptor that is available, or used, by that wrap counter (2.8.1). */
static inline uint16_t
vr_packed_owner(bool available, bool wrap)
{
	return (uint16_t)((wrap ? VR_DESC_AVAIL : 0) | (wrap != available ? VR_DESC_USED : 0));
}

static inline bool
vr_packed_is_used(uint16_t flags, bool wrap)
{
	return (flags & (VR_DESC_AVAIL | VR_DESC_USED)) == vr_packed_owner(false, wrap);
}

/* Returns the place `n` descriptors further on, at most the ring's size. */
static inline struct vr_place
vr_packed_after(struct vr_place p, uint16_t size, unsigned n)
{
	unsigned to = p.at + n;

	if (to >= size)
		return (struct vr_place){(uint16_t)(to - size), !p.wrap};
	return (struct vr_place){(uint16_t)to, p.wrap};
}

/* Returns a place as event areas and SET_VRING_BASE have it. */
static inline uint16_t
vr_packed_off_wrap(struct vr_place p)
{
	return (uint16_t)(p.at | (p.wrap ? 0x8000u : 0));
}

static inline struct vr_place
vr_packed_place(uint16_t off_wrap)
{
	return (struct vr_place){off_wrap & 0x7fff, off_wrap >> 15 != 0};
}

#endif
