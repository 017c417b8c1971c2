/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Copies for frames and buffers in several fragments: see copy.h for the contract. */
#include "frame/copy.h"

void
frags_copy(struct fragment *to, uint32_t skip, const struct fragment *from, uint32_t len)
{
	uint32_t done = 0, n;

	while (skip >= to->len) { /* NOLINT: the caller's list is long enough */
		skip -= to->len;
		to++;
	}
	while (len != 0) {
		n = RTE_MIN(RTE_MIN(to->len - skip, from->len - done), len);
		copy_bytes(to->base + skip, from->base + done, n);
		skip += n;
		done += n;
		len -= n;
		if (skip == to->len) {
			to++;
			skip = 0;
		}
		if (done == from->len) {
			from++;
			done = 0;
		}
	}
}

void
frame_peek(const struct frame *f, void *buf, uint32_t n)
{
	struct fragment to = {.base = buf, .len = n};

	frags_copy(&to, 0, f->frag, n);
}

void
frame_pull(struct frame *f, void *buf, uint32_t n)
{
	frame_peek(f, buf, n);
	f->len -= n;
	while (n >= f->frag->len && f->nfrags > 1) {
		n -= f->frag->len;
		f->frag++;
		f->nfrags--;
	}
	f->frag->base += n;
	f->frag->len -= n;
}
