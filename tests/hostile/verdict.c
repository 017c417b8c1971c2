/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What must hold after every case, and how cases say what they expect. See hostile.h. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hostile.h"

#define POLL_MS 2

/*
 * Silence of a neighbour that is too long. Both processors may be busy with other things;
 * but a switch that waits for a guest, or whose control thread does, is silent for ever.
 */
#define SILENCE_MS 6000

/* Memory that stays behind: allocators keep some, a leak a case would be far above. */
#define RESIDENT_KB (192 << 10)

static const char *const sanitizer_marks[] = {"Sanitizer", "runtime error:"};

bool
fail(struct hostile *h, const char *format, ...)
{
	va_list ap;

	h->failed = true;
	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	return false;
}

void
remark(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

void
expect_drops(struct party *from, enum drop_reason reason, uint64_t n)
{
	from->drop[reason] += n;
}

static unsigned
stop_lines(struct hostile *h, int device)
{
	char text[64] = " stopped: ";

	if (device >= 0)
		snprintf(text, sizeof(text), "device %d stopped: ", device);
	return subject_log_count(&h->subject, h->log_mark, text);
}

unsigned
stops_of(struct hostile *h, const struct party *p)
{
	return stop_lines(h, p->device);
}

bool
expect_stop(struct hostile *h, struct party *p, enum fault_reason reason)
{
	char text[160];

	h->stops++;
	snprintf(text, sizeof(text), "vhost-switch: device %d stopped: %s", p->device,
			fault_text(reason));
	if (subject_log_wait(&h->subject, h->log_mark, text, PATIENCE_MS) == NULL)
		return fail(h, "the log has no line \"%s\"", text);
	return true;
}

/* What became of the frames of each guest. They are all settled: their buffers are back. */
static void
check_drops(struct hostile *h)
{
	struct totals t;

	for (struct party *p = h->party; p < h->party + PARTIES_MAX && !h->drops_any; p++) {
		if (!p->open || p->device < 0)
			continue;
		if (!EXPECT(h, subject_counters(&h->subject, p->device, &t),
				    "telemetry does not know device %d", p->device))
			continue;
		for (unsigned r = DROP_NONE + 1; r < DROP_MAX; r++)
			EXPECT(h, t.drop[r] == p->drop[r],
					"device %d: %ju frames dropped for \"%s\", expected %ju",
					p->device, (uintmax_t)t.drop[r], drop_text(r),
					(uintmax_t)p->drop[r]);
		EXPECT(h, t.received == t.delivered + t.dropped,
				"device %d: received %ju is not delivered %ju + dropped %ju",
				p->device, (uintmax_t)t.received, (uintmax_t)t.delivered,
				(uintmax_t)t.dropped);
	}
}

static void
check_holdings(struct hostile *h)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;
	struct holdings now = {0};
	bool fds, rest;

	do {
		if (!subject_holdings(&h->subject, &now))
			break;
		fds = now.fds <= h->base.fds;
		rest = now.threads == h->base.threads && now.regions == h->base.regions;
		if (fds && rest)
			break;
		poll(NULL, 0, POLL_MS);
	} while (vu_now_ms() < deadline);
	EXPECT(h, now.fds <= h->base.fds, "%u descriptors open; %u before", now.fds, h->base.fds);
	EXPECT(h, now.threads == h->base.threads, "%u threads; %u before", now.threads,
			h->base.threads);
	EXPECT(h, now.regions == h->base.regions, "%u regions of guest memory mapped; %u before",
			now.regions, h->base.regions);
	EXPECT(h, now.resident_kb <= h->base.resident_kb + RESIDENT_KB,
			"%ju KiB of memory in use; %ju in the beginning",
			(uintmax_t)now.resident_kb, (uintmax_t)h->base.resident_kb);
	h->base.fds = now.fds;
}

static void
check_neighbours(struct hostile *h)
{
	uint64_t frames;
	int64_t silence;
	const char *error = neighbours_check(h->neighbours, &frames, &silence);

	EXPECT(h, error == NULL, "%s", error);
	EXPECT(h, frames > h->heard, "the neighbours stood still");
	EXPECT(h, silence < SILENCE_MS, "a neighbour heard nothing for %jd ms", (intmax_t)silence);
	h->heard = frames;
}

static void
check_log(struct hostile *h)
{
	unsigned stops = stop_lines(h, -1);

	for (unsigned i = 0; i < 2; i++)
		EXPECT(h, subject_log_count(&h->subject, h->log_mark, sanitizer_marks[i]) == 0,
				"a sanitizer reports in the log");
	EXPECT(h, stops == h->stops, "%u devices stopped by the log, expected %u", stops, h->stops);
	EXPECT(h, subject_stopped(&h->subject) == h->stopped + stops,
			"%jd devices stopped by the counter, %jd before, but %u lines in the log",
			(intmax_t)subject_stopped(&h->subject), (intmax_t)h->stopped, stops);
	h->stopped = subject_stopped(&h->subject);
}

void
case_begin(struct hostile *h)
{
	subject_read_log(&h->subject);
	h->log_mark = h->subject.log_len;
	h->stops = 0;
	h->drops_any = false;
	h->failed = false;
}

void
case_verdict(struct hostile *h)
{
	if (subject_alive(&h->subject))
		check_drops(h);
	party_close_all(h);
	if (!subject_alive(&h->subject)) {
		subject_read_log(&h->subject);
		fail(h, "the switch is dead (wait status %#x)", (unsigned)h->subject.status);
		return;
	}
	check_neighbours(h);
	check_holdings(h);
	check_log(h);
}
