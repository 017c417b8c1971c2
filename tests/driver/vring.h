/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A virtqueue, the driver's side, laid out by hand in guest memory: split, or packed if RING_PACKED
 * is among its features. All tests that write rings use this one; bench/pump.h says why the load
 * generator has its own.
 *
 * There are two ways to use it. The orderly one: vr_add() or vr_add_indirect() fills descriptors,
 * vr_publish() makes them available, vr_take_used() gets them back. The hostile one: write
 * ring->desc, ring->avail and ring->used, or ring->packed and the event areas (plain pointers to
 * the shared memory), or use the vr_raw_ calls, which check nothing. The two do not mix on one
 * descriptor.
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
	struct vr_used_elem ring[]; /* the u16 after [size] entries is avail_event with EVENT_IDX */
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

/* A segment of a buffer, by guest physical address. */
struct vr_seg {
	uint64_t gpa;
	uint32_t len;
};

/* A chain in a packed ring that is not available yet: its first flags, its descriptors. */
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
	/* The addresses that SET_VRING_ADDR will send; a test may change them. */
	struct vu_vring_addr addr;

	uint16_t size;     /* a power of two if the ring is split */
	uint64_t features; /* read by vr_reset() and vr_restart() */
	const struct vr_format *format;

	/* Private: a split ring. */
	uint16_t avail_idx; /* next avail slot to fill; may be ahead of avail->idx */
	uint16_t published; /* avail->idx as last written */
	uint16_t kicked;    /* avail->idx at the last look at whether to kick */
	uint16_t used_idx;  /* next used slot to read */

	/* Private: a packed ring. */
	struct vr_place fill_at; /* the next descriptor to fill */
	struct vr_place show_at; /* the next one to make available */
	struct vr_place kick_at; /* the first one that the device was not kicked for */
	struct vr_place seen_at; /* the next one to come back */
	struct vr_held *held;    /* [position]: the chain that begins there */
	unsigned n_held;         /* chains that are filled and not available */
	bool shown; /* some were made available since the last look at whether to kick */

	/*
	 * Private. Buffers have names: split: the head descriptor; packed: the buffer id.
	 */
	uint16_t free_head; /* the first free name; they are linked in the order of use */
	uint16_t free_tail;
	unsigned n_names; /* free ones */
	uint16_t n_free;  /* descriptors */
	uint16_t oldest;  /* with IN_ORDER: the name that must come back next */
	uint16_t *next;   /* free list, and split: chain */
	uint16_t *chain;  /* descriptors of the buffer with that name; 0: none has it */
	void **cookie;    /* [name]: the caller's pointer for that buffer */

	struct vr_desc *laid; /* tests/hostile/raw.h, packed: not yet posted; freed by vr_free */

	int kick_fd; /* event fds: made by vr_init, closed by vr_free */
	int call_fd;
};

/* Lays out an empty ring in one region, and makes its event fds. -ENOMEM if there is no room. */
int
vr_init(struct vr_ring *vr, struct vu_mem *mem, unsigned region, uint16_t size, uint64_t features);

/*
 * The same in the caller's memory, which vr_free() leaves alone. Areas that are allocated in their
 * exact size let a sanitizer see each byte that a device touches beyond its ring.
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
 * Sets private and shared state to that of an empty ring which begins at `base` (as in
 * SET_VRING_BASE), in the format that vr->features tell.
 */
void vr_reset(struct vr_ring *vr, uint16_t base);

/* The same at the first position, as a driver does after a reset. */
void vr_restart(struct vr_ring *vr);

/*
 * Returns the device's position by what it gave back, for SET_VRING_BASE. What follows was never
 * given back, and the device takes it again.
 */
uint16_t vr_base(const struct vr_ring *vr);

void vr_free(struct vr_ring *vr);

static inline unsigned
vr_hdr_len(uint64_t features)
{
	return (features & (VU_F_VERSION_1 | VU_F_MRG_RXBUF)) != 0 ? 12 : 10;
}

/*
 * Adds one buffer as a chain: `n_out` segments that the device reads, then `n_in` that it writes.
 * Returns its name, or -ENOSPC. The device does not see it before vr_publish().
 */
int
vr_add(struct vr_ring *vr, const struct vr_seg *seg, unsigned n_out, unsigned n_in, void *cookie);

/*
 * The same with one ring descriptor, and the segments in an indirect table at `table`, where there
 * is room for as many descriptors of 16 bytes.
 */
int vr_add_indirect(struct vr_ring *vr, void *table, uint64_t table_gpa, const struct vr_seg *seg,
		unsigned n_out, unsigned n_in, void *cookie);

/* Makes all that was added available; with `n` > 0 only its next n buffers. */
void vr_publish(struct vr_ring *vr, unsigned n);

/* Writes to the kick fd if the device asked for it (by flags or event index) since the last time. */
bool vr_kick(struct vr_ring *vr);

/* Writes to the kick fd in any case. */
void vr_kick_always(struct vr_ring *vr);

/*
 * Takes the next buffer that the device gave back. Returns 1, with its name, length and cookie
 * (each pointer may be NULL); 0 if there is none; -EPROTO if the device gave back one that it did
 * not have.
 */
int vr_take_used(struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie);

/* The same, but the buffer stays in the ring. */
int vr_peek_used(const struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie);

/* How many buffers wait to be taken back. */
unsigned vr_used_pending(const struct vr_ring *vr);

/* Asks for a call when buffers come back, or does without. Returns true if some wait already. */
bool vr_call_enable(struct vr_ring *vr, bool on);

/* Reads the call fd. Returns how often it was signalled since the last time. */
uint64_t vr_calls(struct vr_ring *vr);

/* Waits for a call, which it does not reset. Returns 0 or -ETIMEDOUT. */
int vr_wait_call(struct vr_ring *vr, int timeout_ms);

/* Raw writes, which check nothing and leave private state alone. */
void vr_raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next);

/* avail->ring[slot % size] = head */
void vr_raw_avail(struct vr_ring *vr, uint16_t slot, uint16_t head);

/* Makes `n` heads of a split ring available, whatever their numbers, at the driver's position. */
void vr_raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n);

/* avail->idx = idx, after all that was written before. */
void vr_raw_avail_idx(struct vr_ring *vr, uint16_t idx);

/* Writes a descriptor of a packed ring, its flags last. */
void vr_raw_packed(struct vr_ring *vr, uint16_t at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags);

/*
 * Makes a chain of `n` descriptors available at the driver's position in a packed ring. Their flags
 * say what they are; this call adds NEXT, AVAIL, USED and the id.
 */
void vr_raw_chain(struct vr_ring *vr, uint16_t id, const struct vr_packed_desc *d, unsigned n);

/* Returns true if a buffer came back, and which one. It is not checked, and stays in the ring. */
bool vr_raw_used(const struct vr_ring *vr, struct vr_used_elem *e);

/* Steps past that buffer, which took `n` descriptors of a packed ring. */
void vr_raw_step(struct vr_ring *vr, unsigned n);

/* Writes only the flags of a descriptor, after all that was written before. */
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
