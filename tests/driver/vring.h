/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A virtqueue, the driver's side, laid out by hand in guest memory: split, or packed when
 * RING_PACKED is among its features. All tests that write rings use this one; bench/lane.h says why
 * the load generator has its own.
 *
 * Two ways to use it. The orderly one: vr_add() or vr_add_indirect() fills descriptors,
 * vr_publish() shows them to the device, vr_take_used() gets them back. The hostile one:
 * write ring->desc, ring->avail and ring->used, or ring->packed and the event areas (plain
 * pointers to the shared memory), or use the vr_raw_ calls, which check nothing. The two do not
 * mix on one descriptor.
 *
 * With IN_ORDER descriptors are handed out in the ring's order, as that feature demands, and
 * the device has to return each buffer by itself: one that returns several as one breaks the
 * rules here (it may, by virtio 1.2 section 2.7.9; no switch that is tested with this does).
 *
 * A struct vr_ring belongs to one thread. What it points to is shared with the device; what the
 * device must not be able to change (free list, indices, cookies) is kept in private memory.
 * The formats are in vring_split.c and vring_packed.c.
 */
#ifndef DRIVER_VRING_H
#define DRIVER_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"
#include "vring_packed.h"

#define VR_DESC_NEXT 1
#define VR_DESC_WRITE 2
#define VR_DESC_INDIRECT 4

#define VR_AVAIL_NO_INTERRUPT 1
#define VR_USED_NO_NOTIFY 1

/* Alignment by the virtio specification, "Split Virtqueues". */
#define VR_DESC_ALIGN 16
#define VR_AVAIL_ALIGN 2
#define VR_USED_ALIGN 4

#define VR_SIZE_MAX 32768

/* Layout of the three parts, as the specification has it. */
struct vr_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vr_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[]; /* [size] is used_event with EVENT_IDX */
};

struct vr_used_elem {
	uint32_t id;
	uint32_t len;
};

struct vr_used {
	uint16_t flags;
	uint16_t idx;
	struct vr_used_elem ring[]; /* the u16 behind [size] is avail_event with EVENT_IDX */
};

/* The header before each frame: 12 bytes with VERSION_1 or MRG_RXBUF, else the first 10. */
struct vr_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

#define VR_HDR_NEEDS_CSUM 1
#define VR_HDR_DATA_VALID 2
#define VR_HDR_GSO_NONE 0
#define VR_HDR_GSO_TCPV4 1
#define VR_HDR_GSO_UDP 3
#define VR_HDR_GSO_TCPV6 4
#define VR_HDR_GSO_UDP_L4 5
#define VR_HDR_GSO_ECN 0x80

/* A piece of a buffer, by guest physical address. */
struct vr_seg {
	uint64_t gpa;
	uint32_t len;
};

/* Of a chain in a packed ring that is not shown yet: its first flags, its descriptors. */
struct vr_held {
	uint16_t flags;
	uint16_t n;
};

/*
 * What a ring consists of: descriptors, the area that the driver writes (avail, or its event area),
 * and the one that the device writes (used, or its event area).
 */
struct vr_areas {
	void *desc;
	void *driver;
	void *device;
};

struct vr_format;

struct vr_ring {
	/* Shared with the device. One memory serves either format, so it can be changed. */
	union {
		struct vr_desc *desc;
		struct vr_packed_desc *packed;
	};
	union {
		struct vr_avail *avail;
		struct vr_event *driver_event; /* packed */
	};
	union {
		struct vr_used *used;
		struct vr_event *device_event; /* packed */
	};
	/* The addresses that SET_VRING_ADDR will tell; a test may bend them. */
	struct vu_vring_addr addr;

	uint16_t size;     /* of split rings a power of two */
	uint64_t features; /* read by vr_reset() and vr_restart() */
	const struct vr_format *format;

	/* Private: a split ring. */
	uint16_t avail_idx; /* next avail slot to fill; may be ahead of avail->idx */
	uint16_t published; /* avail->idx as last written */
	uint16_t kicked;    /* avail->idx at the last look at whether to kick */
	uint16_t used_idx;  /* next used slot to read */

	/* Private: a packed ring. */
	struct vr_place fill_at; /* next descriptor to fill, ... */
	struct vr_place show_at; /* ... to show, ... */
	struct vr_place kick_at; /* ... to kick for, ... */
	struct vr_place seen_at; /* ... to come back */
	struct vr_held *held;    /* [position]: of a chain that begins there */
	unsigned n_held;         /* chains filled and not shown */
	bool shown;              /* some since the last look at whether to kick */

	/*
	 * Private. Buffers have names: split: the head descriptor; packed: the buffer id.
	 */
	uint16_t free_head; /* names, by the order in which they are used next */
	uint16_t free_tail;
	unsigned n_names; /* free ones */
	uint16_t n_free;  /* descriptors */
	uint16_t oldest;  /* with IN_ORDER: the name that must come back next */
	uint16_t *next;   /* free list, and split: chain */
	uint16_t *chain;  /* descriptors of the buffer of that name; 0: none has it */
	void **cookie;    /* of the buffer of that name */

	struct vr_desc *laid; /* tests/hostile/raw.h, packed: not yet posted; freed by vr_free */

	int kick_fd; /* event fds: made by vr_init, closed by vr_free */
	int call_fd;
};

/* Lays out an empty ring in one region, and makes its event fds. -ENOMEM if there is no room. */
int
vr_init(struct vr_ring *vr, struct vu_mem *mem, unsigned region, uint16_t size, uint64_t features);

/*
 * The same in memory of the caller's, which vr_free() leaves alone. Who wants to see each byte that
 * a device touches beyond its ring allocates areas of their exact size.
 */
int vr_init_in(struct vr_ring *vr, const struct vr_areas *in, uint16_t size, uint64_t features);

/* Bytes of each area; those of a split ring are room for a packed one as well. */
static inline size_t
vr_desc_bytes(uint16_t size)
{
	return sizeof(struct vr_desc) * size;
}

static inline size_t
vr_driver_bytes(uint16_t size, uint64_t features)
{
	if ((features & VU_F_RING_PACKED) != 0)
		return sizeof(struct vr_event);
	return sizeof(struct vr_avail) + sizeof(uint16_t) * (size + (size_t)1);
}

static inline size_t
vr_device_bytes(uint16_t size, uint64_t features)
{
	if ((features & VU_F_RING_PACKED) != 0)
		return sizeof(struct vr_event);
	return sizeof(struct vr_used) + sizeof(struct vr_used_elem) * size + sizeof(uint16_t);
}

/*
 * Private and shared state back to an empty ring, in the format that vr->features tell,
 * beginning at `base` (as SET_VRING_BASE has it), as when taking over there.
 */
void vr_reset(struct vr_ring *vr, uint16_t base);

/* The same from the beginning, as a driver does after a reset. */
void vr_restart(struct vr_ring *vr);

/*
 * Where the device stands by what it gave back, for SET_VRING_BASE: what lies behind it was
 * never given back, and the device takes it up again.
 */
uint16_t vr_base(const struct vr_ring *vr);

void vr_free(struct vr_ring *vr);

static inline unsigned
vr_hdr_len(uint64_t features)
{
	return (features & (VU_F_VERSION_1 | VU_F_MRG_RXBUF)) != 0 ? 12 : 10;
}

/*
 * One buffer: `n_out` pieces that the device reads, then `n_in` that it writes, as a chain.
 * Returns its name, or -ENOSPC. Not seen by the device before vr_publish().
 */
int
vr_add(struct vr_ring *vr, const struct vr_seg *seg, unsigned n_out, unsigned n_in, void *cookie);

/*
 * The same with one ring descriptor, and the pieces in an indirect table at `table`: room for
 * as many descriptors of 16 bytes.
 */
int vr_add_indirect(struct vr_ring *vr, void *table, uint64_t table_gpa, const struct vr_seg *seg,
		unsigned n_out, unsigned n_in, void *cookie);

/* Show all that was added; with `n` > 0 only the next n buffers of it. */
void vr_publish(struct vr_ring *vr, unsigned n);

/* Write to the kick fd if the device asked for it (flags or event index) since the last time. */
bool vr_kick(struct vr_ring *vr);

/* Write to it in any case. */
void vr_kick_always(struct vr_ring *vr);

/*
 * The next buffer that the device gave back: 1 and its name, length and cookie (each may be
 * NULL), 0 if there is none, -EPROTO if it gave back one that it did not have.
 */
int vr_take_used(struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie);

/* The same, and it stays there. */
int vr_peek_used(const struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie);

/* How many buffers wait to be taken back. */
unsigned vr_used_pending(const struct vr_ring *vr);

/* Ask for, or do without, a call when buffers come back. True if some wait already. */
bool vr_call_enable(struct vr_ring *vr, bool on);

/* Read the call fd: how often it was signalled since the last time. */
uint64_t vr_calls(struct vr_ring *vr);

/* Wait for a call; 0 or -ETIMEDOUT. Does not reset it. */
int vr_wait_call(struct vr_ring *vr, int timeout_ms);

/* Raw writes: no check, nothing private touched. */
void vr_raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next);

/* avail->ring[slot % size] = head */
void vr_raw_avail(struct vr_ring *vr, uint16_t slot, uint16_t head);

/* Shows `n` heads of a split ring, any numbers, where the driver stands. */
void vr_raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n);

/* avail->idx = idx, after all that was written before. */
void vr_raw_avail_idx(struct vr_ring *vr, uint16_t idx);

/* A descriptor of a packed ring, its flags last. */
void vr_raw_packed(struct vr_ring *vr, uint16_t at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags);

/*
 * Shows a chain of `n` descriptors where the driver of a packed ring stands. Their flags say what
 * they are; NEXT, the owner's flags and the id are put in here.
 */
void vr_raw_chain(struct vr_ring *vr, uint16_t id, const struct vr_packed_desc *d, unsigned n);

/* Returns true if a buffer came back, and which one: not checked, and it stays there. */
bool vr_raw_used(const struct vr_ring *vr, struct vr_used_elem *e);

/* Steps past it. In a packed ring it took `n` descriptors. */
void vr_raw_step(struct vr_ring *vr, unsigned n);

/* Only its flags, after all that was written before. */
void vr_raw_packed_flags(struct vr_ring *vr, uint16_t at, uint16_t flags);

static inline uint16_t
vr_raw_used_idx(const struct vr_ring *vr)
{
	return __atomic_load_n(&vr->used->idx, __ATOMIC_ACQUIRE);
}

/* The event index fields of a split ring; valid with EVENT_IDX. */
static inline uint16_t *
vr_used_event(struct vr_ring *vr)
{
	return &vr->avail->ring[vr->size];
}

static inline uint16_t *
vr_avail_event(struct vr_ring *vr)
{
	return (uint16_t *)&vr->used->ring[vr->size];
}

#endif
