/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The uplink's one source, and a guest that is full.
 *
 * The uplink brings frames without end, for the gauge's two guests by turns (wire.h). At times one
 * of them takes nothing. Meanwhile the other one's rate is measured, in the CPU time of the worker
 * that polls the uplink.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "cases.h"

#define TURNS 5
#define WINDOW_MS 40
#define POLL_MS 1
#define UPLINK_WORKER 0

/* Returns how many frames a second arrive at the other guest. */
static double
rate(struct hostile *h, bool full)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;
	uint64_t at, waited;
	struct totals before, after;

	gauge_rest(h->gauge, true, full);
	while (full && !gauge_is_full(h->gauge) && vu_now_ms() < deadline)
		poll(NULL, 0, POLL_MS);
	if (!EXPECT(h, !full || gauge_is_full(h->gauge), "the guest did not become full"))
		return 0;
	at = now_ns();
	waited = cpu_time_waited(&h->cpu_time, UPLINK_WORKER);
	if (!EXPECT(h, subject_counters(&h->subject, h->gauge_device[1], &before), "no telemetry"))
		return 0;
	nanosleep(&(struct timespec){.tv_nsec = WINDOW_MS * 1000000},
			NULL); /* the window in which frames are counted */
	if (!EXPECT(h, subject_counters(&h->subject, h->gauge_device[1], &after), "no telemetry"))
		return 0;
	waited = cpu_time_waited(&h->cpu_time, UPLINK_WORKER) - waited;
	at = now_ns() - at;
	return at <= waited ? 0 : (double)(after.sent - before.sent) * 1e9 / (double)(at - waited);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
run_full(struct hostile *h, const void *arg)
{
	double kept[TURNS], alone = 0;

	(void)arg;
	for (unsigned i = 0; i < TURNS && !h->failed; i++) {
		alone = rate(h, false);
		kept[i] = alone > 0 ? rate(h, true) / alone : 0;
	}
	gauge_rest(h->gauge, false, false);
	gauge_begin(h->gauge);
	if (h->failed)
		return;
	qsort(kept, TURNS, sizeof(kept[0]), compare);
	remark("a guest keeps %.2f (%.2f to %.2f) of %.0f frames/s from the uplink beside a full one",
			kept[TURNS / 2], kept[0], kept[TURNS - 1], alone);
	expect_share(h, kept[TURNS / 2]);
}

const struct hcase cases_uplink[] = {
		{"uplink-full", "a guest that takes nothing does not slow what comes for another",
				run_full, NULL, 0},
		{NULL, NULL, NULL, NULL, 0},
};
