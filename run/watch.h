/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Whether the workers work: each of them tells RCU when a burst has ended, and
 * the main lcore looks once a second who has. A worker that has not for some
 * seconds is named in the log.
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
	uint64_t token;         /* of RCU: taken when all workers were last known to work */
	unsigned int looks;     /* since then */
	bool named[WORKER_MAX]; /* the log says that it hangs */
};

/*
 * Looks once. True if every worker has been between two bursts since the call
 * that last returned true.
 */
bool watch_workers(struct watch *w, const struct lanes *lanes);

#endif /* WATCH_H */
