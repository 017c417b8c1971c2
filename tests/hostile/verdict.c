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
 * The longest that a neighbour's frame may be under way, in its worker's CPU time: no client may
 * hang a worker for longer. A visit to a ring may take 200 us. Most cases have at most eight
 * guests. Each may have one visit before the neighbour's turn, and one more before a ring is tried
 * again that another worker was filling: 3.2 ms. The sanitized program takes some three times as
 * long.
 */
#define DELAY_NS 10000000
/*
 * The same of the first visit in which a guest's memory is slow: nothing ends it early (switch/stall.h). It has 64
 * frames; a hugepage for each takes 5 ms where the host of a virtual machine finds its memory page by page.
 */
#define DELAY_FIRST_NS 500000000

/*
 * Beside k greedy guests an honest one keeps KEPT / (k + 1) of its rate. In a window of 10 ms this
 * also bounds how long a worker may do nothing at all.
 */
#define KEPT 0.8
/* Beside hugepages that are cleared without end: they empty the caches of the core, and that is nobody's time. */
#define KEPT_CLEARED 0.7

/*
 * After a case, rates are measured until one of them is usual: at least this part of the best one
 * so far. A CPU whose sibling is busy does half of its work, or less.
 */
#define BASE_WINDOWS 2
#define BASE_TRIES 20
#define USUAL 0.3

/* Memory that may stay allocated: allocators keep some; a leak in each case would be far more. */
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

/* If a device was stopped, that is in the log at the main lcore's next tick, after a second at most. */
#define CAREFUL_MS 3000

bool
is_careful(struct hostile *h)
{
	return subject_log_count(&h->subject, 0, "made its call file descriptor block") > 0;
}

void
expect_blocked(struct hostile *h, const struct party *p, bool careful)
{
	/* The minute may be over, or, in a soak, its line may be among those that the log left out. */
	bool any = careful || h->soak;

	if (any)
		subject_log_wait(&h->subject, h->log_mark, " stopped: ", CAREFUL_MS);
	h->stops = any ? stops_of(h, p) : 1;
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

/* Checks what has become of each guest's frames. No frame is under way: all buffers are back. */
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
	EXPECT(h, now.fds <= h->base.fds, "%u file descriptors open; %u before", now.fds,
			h->base.fds);
	EXPECT(h, now.threads == h->base.threads, "%u threads; %u before", now.threads,
			h->base.threads);
	EXPECT(h, now.regions == h->base.regions, "%u regions of guest memory mapped; %u before",
			now.regions, h->base.regions);
	EXPECT(h, now.resident_kb <= h->base.resident_kb + RESIDENT_KB,
			"%ju KiB of memory in use; %ju in the beginning",
			(uintmax_t)now.resident_kb, (uintmax_t)h->base.resident_kb);
	h->base.fds = now.fds;
}

/* Notes what an honest guest did not get, if that is judged, unless something is noted already. */
__attribute__((format(printf, 2, 3))) static void
unfair(struct hostile *h, const char *format, ...)
{
	va_list ap;

	if (h->unjudged || h->unfair[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(h->unfair, sizeof(h->unfair), format, ap);
	va_end(ap);
}

void
tell_stood(const struct hostile *h)
{
	remark("the neighbours' thread had no turn for up to %.1f s",
			(double)neighbours_stood(h->neighbours) / 1e9);
}

/* Says what else is known when neighbours were harmed: if frames were flooded, and if the machine stood still. */
static void
tell_neighbours(struct hostile *h)
{
	struct totals t;
	int device;

	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		device = subject_device(&h->subject, 0, neighbours_mac(h->neighbours, i));
		if (device >= 0 && subject_counters(&h->subject, device, &t))
			remark("neighbour %u is device %d: %ju of its frames received, %ju delivered, %ju dropped; "
			       "%ju further copies flooded, those of its first frame included; %ju frames sent to it",
					i, device, (uintmax_t)t.received, (uintmax_t)t.delivered,
					(uintmax_t)t.dropped, (uintmax_t)t.flooded,
					(uintmax_t)t.sent);
	}
	tell_stood(h);
}

/* Frames of neighbours that did not arrive must have been dropped and counted. */
static bool
check_lost(struct hostile *h)
{
	struct totals t = {0};
	uint64_t lost;
	int device;

	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		lost = neighbours_lost(h->neighbours, i);
		if (lost == 0)
			continue;
		device = subject_device(&h->subject, 0, neighbours_mac(h->neighbours, i));
		if (!EXPECT(h, subject_counters(&h->subject, device, &t) && t.dropped >= lost,
				    "%ju frames of neighbour %u were lost, and the switch has dropped %ju",
				    (uintmax_t)lost, i, (uintmax_t)t.dropped))
			return false;
	}
	return true;
}

static void
check_neighbours(struct hostile *h, uint64_t *delay)
{
	const char *error = neighbours_check(h->neighbours, delay);

	if (!EXPECT(h, error == NULL, "%s", error) || !check_lost(h))
		tell_neighbours(h);
	if (*delay > (h->slow_memory ? DELAY_FIRST_NS : DELAY_NS))
		unfair(h, "a neighbour's frame was under way for %.1f ms of its worker's time",
				(double)*delay / 1e6);
}

/* Returns true if the gauge has its usual rate. Notes the best one. */
static bool
is_usual(struct hostile *h, const struct gauge_rate *r)
{
	bool usual = true;

	for (unsigned i = 0; i < h->cpu_time.n; i++) {
		if (r->mean[i] > h->usual[i])
			h->usual[i] = r->mean[i];
		usual = usual && r->mean[i] >= USUAL * h->usual[i];
	}
	return usual;
}

bool
rate_alone(struct hostile *h, struct gauge_rate *r)
{
	for (unsigned i = 0; i < BASE_TRIES; i++) {
		gauge_begin(h->gauge);
		if (gauge_read(h->gauge, BASE_WINDOWS, PATIENCE_MS, r) && is_usual(h, r))
			return true;
	}
	unfair(h, "with nobody else at work, the honest pair has %.0f frames/s of %.0f", r->mean[0],
			h->usual[0]);
	return false;
}

double
rate_kept(const struct hostile *h, const double *rate, const struct gauge_rate *alone)
{
	double least = 1;

	for (unsigned i = 0; i < h->cpu_time.n; i++)
		if (rate[i] < least * alone->mean[i])
			least = rate[i] / alone->mean[i];
	return least;
}

void
expect_share(struct hostile *h, double kept)
{
	double fair = (h->cleared ? KEPT_CLEARED : KEPT) / (h->greedy + 1);

	if (kept < fair)
		unfair(h, "an honest pair keeps %.3f of its rate beside %u guests; at least %.3f is fair",
				kept, h->greedy, fair);
}

/* Judges the gauge's share: `beside` was measured while the case ran. */
static void
check_share(struct hostile *h, const struct gauge_rate *beside, uint64_t delay)
{
	struct gauge_rate alone;
	double kept;

	if (!rate_alone(h, &alone))
		return;
	kept = rate_kept(h, beside->least, &alone);
	remark("in %u windows an honest pair keeps %.2f of %.0f frames/s at least, and its frames take %.1f ms at most",
			beside->windows, kept, alone.mean[0], (double)delay / 1e6);
	expect_share(h, kept);
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
	h->slow_memory = h->cleared = false;
	h->open = 0;
	h->greedy = 1;
	h->failed = false;
	h->unfair[0] = '\0';
	if (h->gauge != NULL)
		gauge_begin(h->gauge);
}

void
case_verdict(struct hostile *h)
{
	struct gauge_rate beside;
	uint64_t delay;

	/* A case that is over sooner is judged by the one window in which it happened. */
	if (!h->soak && subject_alive(&h->subject) &&
			!gauge_read(h->gauge, 1, PATIENCE_MS, &beside))
		unfair(h, "an honest pair got nothing");
	if (subject_alive(&h->subject))
		check_drops(h);
	party_close_all(h);
	if (!subject_alive(&h->subject)) {
		subject_read_log(&h->subject);
		fail(h, "the switch is dead (wait status %#x)", (unsigned)h->subject.status);
		return;
	}
	check_neighbours(h, &delay);
	check_holdings(h);
	if (!h->soak)
		check_share(h, &beside, delay);
	check_log(h);
}
