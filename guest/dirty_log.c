/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Logs pages that were written: see dirty_log.h for the contract. */
#include "base/atomic.h"
#include "frame/frame.h"
#include "guest/dirty_log.h"
#include "guest/memory.h"
#include "guest/virtqueue.h"

#define PAGE_SHIFT 12 /* vhost-user protocol, "Migration" */

/* Number of pages whose bits are in one word of the log; the log is page-aligned. */
#define WORD 64u

bool
dirty_log_covers(const struct guest_mem *m)
{
	const struct guest_region *r;

	for (r = m->region; r < m->region + m->n; r++)
		if ((r->gpa + r->size - 1) >> PAGE_SHIFT >> 3 >= m->log_size)
			return false;
	return true;
}

/*
 * Marks whole words of the log from `page` on, up to `last`; returns the page after them. All bits are
 * set, so a store does the same as an atomic OR. A log that is new takes half of the time then, and the
 * kernel takes the other half for its pages.
 */
static uint64_t
dirty_log_mark_words(const struct guest_mem *m, uint64_t page, uint64_t last)
{
	for (; page + WORD - 1 <= last; page += WORD)
		store_release((uint64_t *)(void *)&m->log[page >> 3], UINT64_MAX);
	return page;
}

static void
dirty_log_mark(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	uint64_t page, last = (gpa + len - 1) >> PAGE_SHIFT;

	/*
	 * The log covers the page, as rings are served only then; but the memory after it is the
	 * front end's.
	 */
	if (unlikely(last >> 3 >= m->log_size))
		return;
	/* When the front end takes the bit it must see the bytes. */
	for (page = gpa >> PAGE_SHIFT; page <= last; page++) {
		if (unlikely(page % WORD == 0 && last - page >= WORD - 1)) {
			page = dirty_log_mark_words(m, page, last);
			if (page > last)
				break;
		}
		fetch_or_release(&m->log[page >> 3], 1u << (page & 7));
	}
}

void
dirty_all(const struct guest_mem *m)
{
	const struct guest_region *r;

	for (r = m->region; r < m->region + m->n; r++)
		dirty_log_mark(m, r->gpa, r->size);
}

void
dirty_write(const struct guest_mem *m, const void *p, uint64_t len)
{
	uint64_t gpa, left;

	if (len != 0 && guest_mem_address(m, p, &gpa, &left))
		dirty_log_mark(m, gpa, len);
}

void
dirty_frags(const struct guest_mem *m, const struct fragment *frag, uint32_t len)
{
	uint32_t n;

	for (; len != 0; frag++) {
		n = RTE_MIN(len, frag->len);
		dirty_write(m, frag->base, n);
		len -= n;
	}
}

/* Notes entries of a ring from position `from` to before `to`, also across its end. */
static void
dirty_log_mark_entries(const struct virtqueue *vq, const void *ring, size_t entry, uint16_t from,
		uint16_t to)
{
	const uint8_t *base = ring;

	if (from < to) {
		dirty_write(vq->mem, base + from * entry, (to - from) * entry);
		return;
	}
	dirty_write(vq->mem, base + from * entry, (vq->size - from) * entry);
	dirty_write(vq->mem, base, to * entry);
}

void
dirty_used(const struct virtqueue *vq, uint16_t from)
{
	const uint16_t mask = vq->size - 1;

	if (vq->packed) {
		dirty_log_mark_entries(vq, vq->ring, sizeof(*vq->ring), from, vq->last_used);
		return;
	}
	dirty_log_mark_entries(vq, vq->used->ring, sizeof(vq->used->ring[0]), from & mask,
			vq->last_used & mask);
	dirty_write(vq->mem, &vq->used->idx, sizeof(vq->used->idx));
}

void
dirty_suppress(const struct virtqueue *vq)
{
	if (vq->packed)
		dirty_write(vq->mem, vq->device_event, sizeof(*vq->device_event));
	else if (vq->event_idx)
		dirty_write(vq->mem, &vq->used->ring[vq->size], sizeof(uint16_t));
	else
		dirty_write(vq->mem, &vq->used->flags, sizeof(vq->used->flags));
}
