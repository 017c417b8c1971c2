/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Split rings: virtio 1.2 section 2.7. See vring_format.h. */
#include <string.h>

#include "vring_format.h"

static void
reset(struct vr_ring *vr, uint16_t base)
{
	memset(vr->desc, 0, vr_desc_bytes(vr->size));
	memset(vr->avail, 0, vr_driver_bytes(vr->size, 0));
	memset(vr->used, 0, vr_device_bytes(vr->size, 0));
	vr->avail_idx = vr->published = vr->kicked = vr->used_idx = base;
	vr->avail->idx = vr->used->idx = base;
}

static uint16_t
add(struct vr_ring *vr, const struct vr_seg *seg, unsigned n, unsigned n_out, uint16_t flags)
{
	uint16_t head = vr->free_head, i = head;

	for (unsigned k = 0; k < n; k++) {
		bool last = k + 1 == n;

		vr_raw_desc(vr, i, seg[k].gpa, seg[k].len,
				(uint16_t)(flags | (k >= n_out ? VR_DESC_WRITE : 0) |
						(last ? 0 : VR_DESC_NEXT)),
				last ? 0 : vr->next[i]);
		i = vr->next[i];
	}
	vr->free_head = i;
	vr->n_names -= n;
	vr->avail->ring[vr->avail_idx & (vr->size - 1)] = head;
	vr->avail_idx++;
	return head;
}

static void
fill_table(void *table, const struct vr_seg *seg, unsigned n, unsigned n_out)
{
	struct vr_desc *d = table;

	for (unsigned k = 0; k < n; k++) {
		bool last = k + 1 == n;

		d[k] = (struct vr_desc){
				.addr = seg[k].gpa,
				.len = seg[k].len,
				.flags = (uint16_t)((k >= n_out ? VR_DESC_WRITE : 0) |
						(last ? 0 : VR_DESC_NEXT)),
				.next = last ? 0 : (uint16_t)(k + 1),
		};
	}
}

static void
publish(struct vr_ring *vr, unsigned n)
{
	uint16_t waiting = (uint16_t)(vr->avail_idx - vr->published);

	if (n == 0 || n > waiting)
		n = waiting;
	vr->published = (uint16_t)(vr->published + n);
	vr_raw_avail_idx(vr, vr->published);
}

static bool
kick_wanted(struct vr_ring *vr)
{
	uint16_t old = vr->kicked, now = vr->published, event;

	vr->kicked = now;
	if ((vr->features & VU_F_EVENT_IDX) != 0) {
		event = __atomic_load_n(vr_avail_event(vr), __ATOMIC_RELAXED);
		return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
	}
	return (__atomic_load_n(&vr->used->flags, __ATOMIC_RELAXED) & VR_USED_NO_NOTIFY) == 0 &&
			now != old;
}

static unsigned
pending(const struct vr_ring *vr)
{
	return (uint16_t)(vr_raw_used_idx(vr) - vr->used_idx);
}

static bool
peek(const struct vr_ring *vr, struct vr_used_elem *e)
{
	unsigned n = pending(vr);

	if (n == 0)
		return false;
	*e = vr->used->ring[vr->used_idx & (vr->size - 1)];
	if (n > vr->size)
		e->id = vr->size; /* no descriptor */
	return true;
}

static void
take(struct vr_ring *vr, uint16_t name)
{
	uint16_t last = name;

	vr->used_idx++;
	for (unsigned k = 1; k < vr->chain[name]; k++)
		last = vr->next[last];
	vr->oldest = vr->next[last];
	vr_give_names(vr, name, last, vr->chain[name]);
}

static void
want_calls(struct vr_ring *vr, bool on)
{
	/* The index before the one that was read: the device reaches it only after 65536 more buffers. */
	uint16_t event = (uint16_t)(on ? vr->used_idx : vr->used_idx - 1);

	if ((vr->features & VU_F_EVENT_IDX) != 0)
		__atomic_store_n(vr_used_event(vr), event, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&vr->avail->flags, on ? 0 : VR_AVAIL_NO_INTERRUPT,
				__ATOMIC_RELAXED);
}

static uint16_t
base(const struct vr_ring *vr)
{
	return vr_raw_used_idx(vr);
}

const struct vr_format vr_split = VR_FORMAT;
