/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A virtqueue, the driver's side: what both formats share. See vring.h. */
#define _GNU_SOURCE
#include "vring_format.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The parts start on cache lines of their own, so that indices written by the two sides never
 * share one; Linux does the same for modern devices.
 */
#define LINE 64
#define PAGE 4096

_Static_assert(sizeof(struct vr_desc) == 16, "descriptor layout");
_Static_assert(sizeof(struct vr_packed_desc) == 16, "descriptor layout");
_Static_assert(sizeof(struct vr_used_elem) == 8, "used element layout");
_Static_assert(sizeof(struct vr_net_hdr) == 12, "header layout");

int
vr_init(struct vr_ring *vr, struct vu_mem *mem, unsigned region, uint16_t size, uint64_t features)
{
	/* Room for a split ring in any case: the format may change. */
	struct vr_areas in = {
			.desc = vu_mem_alloc(mem, region, vr_desc_bytes(size), PAGE),
			.driver = vu_mem_alloc(mem, region, vr_driver_bytes(size, 0), LINE),
			.device = vu_mem_alloc(mem, region, vr_device_bytes(size, 0), LINE),
	};
	int err;

	*vr = (struct vr_ring){.kick_fd = -1, .call_fd = -1};
	if (in.desc == NULL || in.driver == NULL || in.device == NULL)
		return -ENOMEM;
	err = vr_init_in(vr, &in, size, features);
	if (err == 0)
		vr->addr.log = vu_mem_gpa(mem, vr->used);
	return err;
}

int
vr_init_in(struct vr_ring *vr, const struct vr_areas *in, uint16_t size, uint64_t features)
{
	*vr = (struct vr_ring){
			.desc = in->desc,
			.avail = in->driver,
			.used = in->device,
			.addr.desc = (uint64_t)(uintptr_t)in->desc,
			.addr.avail = (uint64_t)(uintptr_t)in->driver,
			.addr.used = (uint64_t)(uintptr_t)in->device,
			.size = size,
			.features = features,
			.held = calloc(size, sizeof(*vr->held)),
			.next = calloc(size, sizeof(*vr->next)),
			.chain = calloc(size, sizeof(*vr->chain)),
			.cookie = calloc(size, sizeof(*vr->cookie)),
			.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			.call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	if (vr->held == NULL || vr->next == NULL || vr->chain == NULL || vr->cookie == NULL ||
			vr->kick_fd < 0 || vr->call_fd < 0) {
		vr_free(vr);
		return -ENOMEM;
	}
	vr_restart(vr);
	return 0;
}

void
vr_reset(struct vr_ring *vr, uint16_t base)
{
	vr->format = (vr->features & VU_F_RING_PACKED) != 0 ? &vr_packed : &vr_split;
	for (unsigned i = 0; i < vr->size; i++) {
		vr->next[i] = (uint16_t)(i + 1);
		vr->chain[i] = 0;
		vr->cookie[i] = NULL;
	}
	/* The last entry links to the first: with IN_ORDER the ring is used round and round. */
	vr->next[vr->size - 1] = 0;
	vr->free_head = vr->oldest = 0;
	vr->free_tail = (uint16_t)(vr->size - 1);
	vr->n_free = vr->size;
	vr->n_names = vr->size;
	vr->format->reset(vr, base);
}

void
vr_restart(struct vr_ring *vr)
{
	vr_reset(vr, (vr->features & VU_F_RING_PACKED) != 0 ? VR_PACKED_START : 0);
}

uint16_t
vr_base(const struct vr_ring *vr)
{
	return vr->format->base(vr);
}

void
vr_free(struct vr_ring *vr)
{
	free(vr->laid);
	free(vr->held);
	free(vr->next);
	free(vr->chain);
	free(vr->cookie);
	if (vr->kick_fd >= 0)
		close(vr->kick_fd);
	if (vr->call_fd >= 0)
		close(vr->call_fd);
	memset(vr, 0, sizeof(*vr));
	vr->kick_fd = vr->call_fd = -1;
}

static int
note(struct vr_ring *vr, uint16_t name, unsigned n_desc, void *cookie)
{
	vr->chain[name] = (uint16_t)n_desc;
	vr->cookie[name] = cookie;
	vr->n_free -= (uint16_t)n_desc;
	return name;
}

int
vr_add(struct vr_ring *vr, const struct vr_seg *seg, unsigned n_out, unsigned n_in, void *cookie)
{
	unsigned n = n_out + n_in;

	if (n == 0 || n > vr->n_free)
		return -ENOSPC;
	return note(vr, vr->format->add(vr, seg, n, n_out, 0), n, cookie);
}

int
vr_add_indirect(struct vr_ring *vr, void *table, uint64_t table_gpa, const struct vr_seg *seg,
		unsigned n_out, unsigned n_in, void *cookie)
{
	unsigned n = n_out + n_in;
	struct vr_seg whole = {table_gpa, (uint32_t)(n * sizeof(struct vr_desc))};

	if (n == 0 || vr->n_free == 0)
		return -ENOSPC;
	vr->format->fill_table(table, seg, n, n_out);
	return note(vr, vr->format->add(vr, &whole, 1, 1, VR_DESC_INDIRECT), 1, cookie);
}

void
vr_publish(struct vr_ring *vr, unsigned n)
{
	vr->format->publish(vr, n);
}

bool
vr_kick(struct vr_ring *vr)
{
	bool wanted;

	/* Our index must be visible before we read whether the device wants a kick, or both sides may wait. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = vr->format->kick_wanted(vr);
	if (wanted)
		vr_kick_always(vr);
	return wanted;
}

void
vr_kick_always(struct vr_ring *vr)
{
	uint64_t one = 1;
	ssize_t n;

	/* Fails only if the counter is full: then the device has been kicked often enough. */
	n = write(vr->kick_fd, &one, sizeof(one));
	(void)n;
}

unsigned
vr_used_pending(const struct vr_ring *vr)
{
	return vr->format->pending(vr);
}

void
vr_give_names(struct vr_ring *vr, uint16_t first, uint16_t last, unsigned n)
{
	vr->n_free += vr->chain[first];
	vr->chain[first] = 0;
	vr->n_names += n;
	if (vr->n_names == n) {
		vr->free_head = first;
		vr->free_tail = last;
	} else if ((vr->features & VU_F_IN_ORDER) != 0) {
		vr->next[vr->free_tail] = first;
		vr->free_tail = last;
	} else {
		vr->next[last] = vr->free_head;
		vr->free_head = first;
	}
}

int
vr_peek_used(const struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie)
{
	struct vr_used_elem e;

	if (!vr->format->peek(vr, &e))
		return 0;
	if (e.id >= vr->size || vr->chain[e.id] == 0 ||
			((vr->features & VU_F_IN_ORDER) != 0 && e.id != vr->oldest))
		return -EPROTO;
	if (head != NULL)
		*head = (uint16_t)e.id;
	if (len != NULL)
		*len = e.len;
	if (cookie != NULL)
		*cookie = vr->cookie[e.id];
	return 1;
}

int
vr_take_used(struct vr_ring *vr, uint16_t *head, uint32_t *len, void **cookie)
{
	uint16_t name;
	int n = vr_peek_used(vr, &name, len, cookie);

	if (n != 1)
		return n;
	if (head != NULL)
		*head = name;
	vr->format->take(vr, name);
	return 1;
}

bool
vr_call_enable(struct vr_ring *vr, bool on)
{
	vr->format->want_calls(vr, on);
	/* Our request must be visible before the index is read again: see vr_kick(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vr->format->peek(vr, &(struct vr_used_elem){0, 0});
}

uint64_t
vr_calls(struct vr_ring *vr)
{
	uint64_t n;

	return read(vr->call_fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

int
vr_wait_call(struct vr_ring *vr, int timeout_ms)
{
	struct pollfd p = {.fd = vr->call_fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1 ? 0 : -ETIMEDOUT;
}

void
vr_raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	vr->desc[i] = (struct vr_desc){.addr = addr, .len = len, .flags = flags, .next = next};
}

void
vr_raw_avail(struct vr_ring *vr, uint16_t slot, uint16_t head)
{
	vr->avail->ring[slot & (vr->size - 1)] = head;
}

void
vr_raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vr_raw_avail(vr, vr->published++, head[i]);
	vr->avail_idx = vr->published;
	vr_raw_avail_idx(vr, vr->published);
}

void
vr_raw_avail_idx(struct vr_ring *vr, uint16_t idx)
{
	__atomic_store_n(&vr->avail->idx, idx, __ATOMIC_RELEASE);
}

void
vr_raw_packed(struct vr_ring *vr, uint16_t at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags)
{
	struct vr_packed_desc *d = &vr->packed[at];

	d->addr = addr;
	d->len = len;
	d->id = id;
	vr_raw_packed_flags(vr, at, flags);
}

void
vr_raw_packed_flags(struct vr_ring *vr, uint16_t at, uint16_t flags)
{
	__atomic_store_n(&vr->packed[at].flags, flags, __ATOMIC_RELEASE);
}

void
vr_raw_chain(struct vr_ring *vr, uint16_t id, const struct vr_packed_desc *d, unsigned n)
{
	struct vr_place first = vr->fill_at;
	uint16_t first_flags = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = (uint16_t)(d[i].flags | (i + 1 < n ? VR_DESC_NEXT : 0) |
				vr_packed_owner(true, vr->fill_at.wrap));

		/* Until the whole chain is written, the first descriptor has the flags of the last wrap. */
		if (i == 0)
			first_flags = flags;
		vr_raw_packed(vr, vr->fill_at.at, d[i].addr, d[i].len, id,
				i == 0 ? vr_packed_owner(false, !first.wrap) : flags);
		vr->fill_at = vr_packed_after(vr->fill_at, vr->size, 1);
	}
	vr_raw_packed_flags(vr, first.at, first_flags);
	vr->show_at = vr->kick_at = vr->fill_at;
}

bool
vr_raw_used(const struct vr_ring *vr, struct vr_used_elem *e)
{
	return vr->format->peek(vr, e);
}

void
vr_raw_step(struct vr_ring *vr, unsigned n)
{
	if (vr->format == &vr_split)
		vr->used_idx++;
	else
		vr->seen_at = vr_packed_after(vr->seen_at, vr->size, n);
}
