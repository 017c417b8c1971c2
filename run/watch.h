/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Watches the workers: each of them tells RCU when a burst has ended, and the main lcore checks
 * that once a second. A worker whose bursts have not ended for some seconds is named in the log.
 *
 * Main lcore alone.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct lanes;

struct watch {
	uint64_t token;         /* token of RCU, taken when all workers were last known to work */
	unsigned int looks;     /* looks since the token was taken */
	bool named[WORKER_MAX]; /* it was logged that this worker hangs */
};

/*
 * Looks once. Returns true if every worker has been between two bursts since the last call that
 * returned true.
 */
bool watch_workers(struct watch *w, const struct lanes *lanes);

#endif /* WATCH_H */
