/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Waking a thread: see wake.h for the contract. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/wake.h"

bool
wake_open(struct wake *w)
{
	w->pending = false;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd >= 0;
}

void
wake_close(struct wake *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void
wake_up(struct wake *w)
{
	if (!exchange_acq_rel(&w->pending, true))
		eventfd_write(w->fd, 1);
}

void
wake_take(struct wake *w)
{
	eventfd_t n;

	eventfd_read(w->fd, &n);
	(void)exchange_acq_rel(&w->pending, false);
}
