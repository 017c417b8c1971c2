/* SPDX-License-Identifier: BSD-3-Clause */
/* A split virtqueue, the driver's side. See vring.h. */
#define _GNU_SOURCE
#include "vring.h"

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
_Static_assert(sizeof(struct vr_used_elem) == 8, "used element layout");
_Static_assert(sizeof(struct vr_net_hdr) == 12, "header layout");

int
vr_init(struct vring *vr, struct vu_mem *mem, unsigned region, uint16_t size, uint64_t features)
{
	memset(vr, 0, sizeof(*vr));
	vr->kick_fd = vr->call_fd = -1;
	vr->size = size;
	vr->features = features;

	vr->desc = vu_mem_alloc(mem, region, sizeof(struct vr_desc) * size, PAGE);
	vr->avail = vu_mem_alloc(mem, region, sizeof(struct vr_avail) +
			sizeof(uint16_t) * (size + 1UL), LINE);
	vr->used = vu_mem_alloc(mem, region, sizeof(struct vr_used) +
			sizeof(struct vr_used_elem) * size + sizeof(uint16_t), LINE);
	if (vr->desc == NULL || vr->avail == NULL || vr->used == NULL)
		return -ENOMEM;

	vr->addr.desc = (uint64_t)(uintptr_t)vr->desc;
	vr->addr.avail = (uint64_t)(uintptr_t)vr->avail;
	vr->addr.used = (uint64_t)(uintptr_t)vr->used;
	vr->addr.log = vu_mem_gpa(mem, vr->used);

	vr->next = calloc(size, sizeof(*vr->next));
	vr->chain = calloc(size, sizeof(*vr->chain));
	vr->cookie = calloc(size, sizeof(*vr->cookie));
	vr->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vr->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vr->next == NULL || vr->chain == NULL || vr->cookie == NULL ||
			vr->kick_fd < 0 || vr->call_fd < 0) {
		vr_free(vr);
		return -ENOMEM;
	}
	vr_reset(vr, 0);
	return 0;
}

void
vr_reset(struct vring *vr, uint16_t base)
{
	memset(vr->desc, 0, sizeof(struct vr_desc) * vr->size);
	memset(vr->avail, 0, sizeof(struct vr_avail) + sizeof(uint16_t) * (vr->size + 1UL));
	memset(vr->used, 0, sizeof(struct vr_used) + sizeof(struct vr_used_elem) * vr->size +
			sizeof(uint16_t));
	for (unsigned i = 0; i < vr->size; i++) {
		vr->next[i] = (uint16_t)(i + 1);
		vr->chain[i] = 0;
		vr->cookie[i] = NULL;
	}
	vr->free_head = 0;
	vr->n_free = vr->size;
	vr->avail_idx = vr->published = vr->kicked = vr->used_idx = base;
	vr->avail->idx = vr->used->idx = base;
}

void
vr_free(struct vring *vr)
{
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

static void
make_available(struct vring *vr, uint16_t head, unsigned n_desc, void *cookie)
{
	vr->chain[head] = (uint16_t)n_desc;
	vr->cookie[head] = cookie;
	vr->n_free -= (uint16_t)n_desc;
	vr->avail->ring[vr->avail_idx & (vr->size - 1)] = head;
	vr->avail_idx++;
}

int
vr_add(struct vring *vr, const struct vr_seg *seg, unsigned n_out, unsigned n_in, void *cookie)
{
	unsigned n = n_out + n_in;
	uint16_t head = vr->free_head, i = head;

	if (n == 0 || n > vr->n_free)
		return -ENOSPC;
	for (unsigned k = 0; k < n; k++) {
		uint16_t flags = (uint16_t)((k >= n_out ? VR_DESC_WRITE : 0) |
				(k + 1 < n ? VR_DESC_NEXT : 0));

		vr_raw_desc(vr, i, seg[k].gpa, seg[k].len, flags, k + 1 < n ? vr->next[i] : 0);
		i = vr->next[i];
	}
	vr->free_head = i;
	make_available(vr, head, n, cookie);
	return head;
}

int
vr_add_indirect(struct vring *vr, struct vr_desc *table, uint64_t table_gpa,
		const struct vr_seg *seg, unsigned n_out, unsigned n_in, void *cookie)
{
	unsigned n = n_out + n_in;
	uint16_t head = vr->free_head;

	if (n == 0 || vr->n_free == 0)
		return -ENOSPC;
	for (unsigned k = 0; k < n; k++) {
		bool last = k + 1 == n;

		table[k] = (struct vr_desc){
			.addr = seg[k].gpa,
			.len = seg[k].len,
			.flags = (uint16_t)((k >= n_out ? VR_DESC_WRITE : 0) |
					(last ? 0 : VR_DESC_NEXT)),
			.next = last ? 0 : (uint16_t)(k + 1),
		};
	}
	vr_raw_desc(vr, head, table_gpa, (uint32_t)(n * sizeof(*table)), VR_DESC_INDIRECT, 0);
	vr->free_head = vr->next[head];
	make_available(vr, head, 1, cookie);
	return head;
}

void
vr_publish(struct vring *vr, unsigned n)
{
	uint16_t waiting = (uint16_t)(vr->avail_idx - vr->published);

	if (n == 0 || n > waiting)
		n = waiting;
	vr->published = (uint16_t)(vr->published + n);
	vr_raw_avail_idx(vr, vr->published);
}

bool
vr_kick(struct vring *vr)
{
	uint16_t old = vr->kicked, now = vr->published, event;
	bool wanted;

	vr->kicked = now;
	/* Our index must be out before the device's wish is read, or both sides may wait. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((vr->features & VU_F_EVENT_IDX) != 0) {
		event = __atomic_load_n(vr_avail_event(vr), __ATOMIC_RELAXED);
		wanted = (uint16_t)(now - event - 1) < (uint16_t)(now - old);
	} else {
		wanted = (__atomic_load_n(&vr->used->flags, __ATOMIC_RELAXED) &
				VR_USED_NO_NOTIFY) == 0 && now != old;
	}
	if (wanted)
		vr_kick_always(vr);
	return wanted;
}

void
vr_kick_always(struct vring *vr)
{
	uint64_t one = 1;
	ssize_t n;

	/* Fails only when the counter is full: then the device has been told often enough. */
	n = write(vr->kick_fd, &one, sizeof(one));
	(void)n;
}

unsigned
vr_used_pending(const struct vring *vr)
{
	return (uint16_t)(vr_raw_used_idx(vr) - vr->used_idx);
}

int
vr_take_used(struct vring *vr, uint16_t *head, uint32_t *len, void **cookie)
{
	unsigned pending = vr_used_pending(vr);
	struct vr_used_elem e;
	uint16_t last;

	if (pending == 0)
		return 0;
	e = vr->used->ring[vr->used_idx & (vr->size - 1)];
	if (pending > vr->size || e.id >= vr->size || vr->chain[e.id] == 0)
		return -EPROTO;
	vr->used_idx++;

	last = (uint16_t)e.id;
	for (unsigned k = 1; k < vr->chain[e.id]; k++)
		last = vr->next[last];
	vr->next[last] = vr->free_head;
	vr->free_head = (uint16_t)e.id;
	vr->n_free += vr->chain[e.id];
	vr->chain[e.id] = 0;

	if (head != NULL)
		*head = (uint16_t)e.id;
	if (len != NULL)
		*len = e.len;
	if (cookie != NULL)
		*cookie = vr->cookie[e.id];
	return 1;
}

bool
vr_call_enable(struct vring *vr, bool on)
{
	/* One behind what was read: the device gets there after a whole turn of 65536. */
	uint16_t event = (uint16_t)(on ? vr->used_idx : vr->used_idx - 1);

	if ((vr->features & VU_F_EVENT_IDX) != 0)
		__atomic_store_n(vr_used_event(vr), event, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&vr->avail->flags, on ? 0 : VR_AVAIL_NO_INTERRUPT,
				__ATOMIC_RELAXED);
	/* Our wish must be out before the index is read again: see vr_kick. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vr_used_pending(vr) > 0;
}

uint64_t
vr_calls(struct vring *vr)
{
	uint64_t n;

	return read(vr->call_fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

int
vr_wait_call(struct vring *vr, int timeout_ms)
{
	struct pollfd p = { .fd = vr->call_fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 ? 0 : -ETIMEDOUT;
}

void
vr_raw_desc(struct vring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	vr->desc[i] = (struct vr_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

void
vr_raw_avail(struct vring *vr, uint16_t slot, uint16_t head)
{
	vr->avail->ring[slot & (vr->size - 1)] = head;
}

void
vr_raw_avail_idx(struct vring *vr, uint16_t idx)
{
	__atomic_store_n(&vr->avail->idx, idx, __ATOMIC_RELEASE);
}
