/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Packed rings: virtio 1.2 section 2.8. See vring_format.h. */
#include <string.h>

#include "vring_format.h"

static void
reset(struct vr_ring *vr, uint16_t base)
{
	struct vr_place at = vr_packed_place(base);

	memset(vr->packed, 0, vr_desc_bytes(vr->size));
	/* All descriptors count as used: those before the position with this wrap, the others with the last one. */
	for (uint16_t i = 0; i < vr->size; i++)
		vr->packed[i].flags = vr_packed_owner(false, i < at.at ? at.wrap : !at.wrap);
	*vr->driver_event = *vr->device_event = (struct vr_event){0, VR_EVENT_ENABLE};
	vr->fill_at = vr->show_at = vr->kick_at = vr->seen_at = at;
	vr->n_held = 0;
	vr->shown = false;
}

static uint16_t
add(struct vr_ring *vr, const struct vr_seg *seg, unsigned n, unsigned n_out, uint16_t flags)
{
	uint16_t name = vr->free_head, head = vr->fill_at.at;

	vr->free_head = vr->next[name];
	vr->n_names--;
	for (unsigned k = 0; k < n; k++) {
		struct vr_packed_desc *d = &vr->packed[vr->fill_at.at];
		uint16_t f = (uint16_t)(flags | (k >= n_out ? VR_DESC_WRITE : 0) |
				(k + 1 < n ? VR_DESC_NEXT : 0) |
				vr_packed_owner(true, vr->fill_at.wrap));

		/* By atomics, as the switch may look at a descriptor before it is shown: no race, as it reads by atomics. */
		__atomic_store_n(&d->addr, seg[k].gpa, __ATOMIC_RELAXED);
		__atomic_store_n(&d->len, seg[k].len, __ATOMIC_RELAXED);
		__atomic_store_n(&d->id, name, __ATOMIC_RELAXED);
		/* The first descriptor keeps the flags of the last wrap until the chain is made available. */
		if (k == 0)
			vr->held[head] = (struct vr_held){f, (uint16_t)n};
		else
			d->flags = f;
		vr->fill_at = vr_packed_after(vr->fill_at, vr->size, 1);
	}
	vr->n_held++;
	return name;
}

static void
fill_table(void *table, const struct vr_seg *seg, unsigned n, unsigned n_out)
{
	struct vr_packed_desc *d = table;

	/* All entries of a table belong together: no NEXT, and no id (section 2.8.8). */
	for (unsigned k = 0; k < n; k++)
		d[k] = (struct vr_packed_desc){
				.addr = seg[k].gpa,
				.len = seg[k].len,
				.flags = k >= n_out ? VR_DESC_WRITE : 0,
		};
}

static void
publish(struct vr_ring *vr, unsigned n)
{
	if (n == 0 || n > vr->n_held)
		n = vr->n_held;
	vr->shown = vr->shown || n > 0;
	vr->n_held -= n;
	for (; n > 0; n--) {
		const struct vr_held *held = &vr->held[vr->show_at.at];

		vr_raw_packed_flags(vr, vr->show_at.at, held->flags);
		vr->show_at = vr_packed_after(vr->show_at, vr->size, held->n);
	}
}

static bool
kick_wanted(struct vr_ring *vr)
{
	struct vr_event e = {
			.off_wrap = __atomic_load_n(&vr->device_event->off_wrap, __ATOMIC_RELAXED),
			.flags = __atomic_load_n(&vr->device_event->flags, __ATOMIC_RELAXED),
	};
	struct vr_place at = vr_packed_place(e.off_wrap);
	uint16_t old = vr->kick_at.at, now = vr->show_at.at, event = at.at;
	bool shown = vr->shown;

	vr->kick_at = vr->show_at;
	vr->shown = false;
	if (e.flags != VR_EVENT_DESC || (vr->features & VU_F_EVENT_IDX) == 0)
		return shown && e.flags != VR_EVENT_DISABLE;
	/* The positions are made comparable: numbers that go on growing from wrap to wrap. */
	if (now <= old)
		old = (uint16_t)(old - vr->size);
	if (at.wrap != vr->show_at.wrap)
		event = (uint16_t)(event - vr->size);
	return shown && (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static bool
is_used(const struct vr_ring *vr, struct vr_place p)
{
	return vr_packed_is_used(
			__atomic_load_n(&vr->packed[p.at].flags, __ATOMIC_ACQUIRE), p.wrap);
}

/* Moves *p past the buffers that came back. Returns how many there are. */
static unsigned
walk_used(const struct vr_ring *vr, struct vr_place *p)
{
	unsigned n = 0;
	uint16_t id;

	/* An unknown id ends the count: its number of descriptors is not known. */
	while (n < vr->size && is_used(vr, *p)) {
		n++;
		id = vr->packed[p->at].id;
		if (id >= vr->size || vr->chain[id] == 0)
			break;
		*p = vr_packed_after(*p, vr->size, vr->chain[id]);
	}
	return n;
}

static unsigned
pending(const struct vr_ring *vr)
{
	struct vr_place p = vr->seen_at;

	return walk_used(vr, &p);
}

static bool
peek(const struct vr_ring *vr, struct vr_used_elem *e)
{
	const struct vr_packed_desc *d = &vr->packed[vr->seen_at.at];

	if (!is_used(vr, vr->seen_at))
		return false;
	/* The length means something only if the device wrote (section 2.8.1). */
	*e = (struct vr_used_elem){d->id, (d->flags & VR_DESC_WRITE) != 0 ? d->len : 0};
	return true;
}

static void
take(struct vr_ring *vr, uint16_t name)
{
	vr->seen_at = vr_packed_after(vr->seen_at, vr->size, vr->chain[name]);
	vr->oldest = vr->next[name];
	vr_give_names(vr, name, name, 1);
}

static void
want_calls(struct vr_ring *vr, bool on)
{
	bool at = on && (vr->features & VU_F_EVENT_IDX) != 0;

	if (at)
		__atomic_store_n(&vr->driver_event->off_wrap, vr_packed_off_wrap(vr->seen_at),
				__ATOMIC_RELAXED);
	__atomic_store_n(&vr->driver_event->flags,
			at                   ? VR_EVENT_DESC
					: on ? VR_EVENT_ENABLE
					     : VR_EVENT_DISABLE,
			__ATOMIC_RELEASE);
}

static uint16_t
base(const struct vr_ring *vr)
{
	struct vr_place p = vr->seen_at;

	walk_used(vr, &p);
	return vr_packed_off_wrap(p);
}

const struct vr_format vr_packed = VR_FORMAT;
