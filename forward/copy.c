/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Copies for frames and buffers in several pieces: see copy.h for the contract. */
#include "forward/copy.h"

void
pieces_copy(struct piece *to, uint32_t skip, const struct piece *from, uint32_t len)
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
	struct piece to = {.base = buf, .len = n};

	pieces_copy(&to, 0, f->piece, n);
}

void
frame_pull(struct frame *f, void *buf, uint32_t n)
{
	frame_peek(f, buf, n);
	f->len -= n;
	while (n >= f->piece->len && f->npieces > 1) {
		n -= f->piece->len;
		f->piece++;
		f->npieces--;
	}
	f->piece->base += n;
	f->piece->len -= n;
}
