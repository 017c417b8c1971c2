/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* All that guests do, for hours. See soak.h. */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "movers.h"
#include "odd_messages.h"
#include "pest.h"

#define TAP "soak"
#define CASES_MAX 512
#define PESTS 2
#define ACTS 6       /* acts of the movers between two cases */
#define WARM_ACTS 40 /* enough for each mover to do each kind of act, in all likelihood */
#define WARM_CASES 3
#define REPORT_MS 600000
#define POLL_MS 10
/* Seconds. The guests say nothing while this program stands still, which may be for minutes. */
#define AGING "36000"

/*
 * How much a process may grow that holds nothing more than before: by what allocators and a
 * sanitizer's quarantine keep (1 MiB, see below), and in the number of its mappings by glibc's
 * arenas. Of a sanitized program only the mappings of files count: AddressSanitizer remembers every thread that
 * ever was, in a mapping for each 25 of them, which is some 130 in an hour. Its shadow does not count, either:
 * of 10 MiB by which a sanitized program had grown after four minutes it was 8.7.
 */
#define GROWTH_KB (16 << 10)
#define GROWTH_MAPS 64
#define BUFFERS_UNDER_WAY \
	64 /* buffers of frames that were sent and that nobody has reclaimed yet */
#define SANITIZER "exitcode=99:detect_leaks=1:quarantine_size_mb=1"

struct soak {
	struct hostile *h;
	struct movers *movers;
	uint64_t random;
	const struct hcase *cases[CASES_MAX];
	unsigned n_cases, next_case;
	pid_t pest[PESTS];
	struct holdings start; /* after the warm-up */
	int64_t buffers_free;  /* of the uplink, after the warm-up */
	unsigned run, kills, acts;
	int64_t begin; /* ms */
};

/* Says when a failure was found, and returns false. */
static bool
failed_in(const struct soak *s, const char *what)
{
	remark("in %s, %jd s after the start", what, (intmax_t)(vu_now_ms() - s->begin) / 1000);
	if (s->h->neighbours != NULL)
		tell_stood(s->h);
	return false;
}

static bool
own_network(void)
{
	int fd;
	bool ok;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	/* The kernel must not send on the uplink: the neighbours expect no such frames. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	ok = fd < 0 ? errno == ENOENT : write(fd, "1", 1) == 1;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Shuffles the cases (Fisher-Yates): each is run once, then all again in another order. */
static void
shuffle(struct soak *s)
{
	for (unsigned i = s->n_cases; i > 1; i--) {
		unsigned k = (unsigned)((odd_number(&s->random) >> 8) % i);
		const struct hcase *c = s->cases[k];

		s->cases[k] = s->cases[i - 1];
		s->cases[i - 1] = c;
	}
	s->next_case = 0;
}

static bool
hostile_case(struct soak *s)
{
	const struct hcase *c;

	if (s->next_case == s->n_cases)
		shuffle(s);
	c = s->cases[s->next_case++];
	case_begin(s->h);
	c->run(s->h, c->arg);
	case_verdict(s->h);
	s->run++;
	return !s->h->failed || failed_in(s, c->name);
}

static bool
start_pest(struct soak *s, unsigned i)
{
	char arg[160];

	snprintf(arg, sizeof(arg), "%" PRIx64 ":%s", odd_number(&s->random), s->h->subject.socket);
	s->pest[i] = child_start(s->h->self, "--pest", arg, -1);
	return EXPECT(s->h, s->pest[i] > 0, "vfork: %s", strerror(errno));
}

static void
kill_pest(struct soak *s, unsigned i)
{
	if (s->pest[i] <= 0)
		return;
	kill(s->pest[i], SIGKILL);
	waitpid(s->pest[i], NULL, 0);
	s->pest[i] = 0;
	s->kills++;
}

/* What the process holds, without a sanitizer's shadow. */
static bool
held(const struct soak *s, struct holdings *hold)
{
	if (!subject_holdings(&s->h->subject, hold))
		return false;
	hold->resident_kb -= subject_shadow_kb(&s->h->subject);
	return true;
}

/* The switch must come to hold no more than after the warm-up. */
static bool
settled(struct soak *s, const struct holdings *base, struct holdings *now)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;

	do {
		if (!subject_holdings(&s->h->subject, now))
			return false;
		if (now->fds == base->fds && now->threads == base->threads &&
				now->regions == base->regions && now->sockets == base->sockets)
			return true;
		poll(NULL, 0, POLL_MS);
	} while (vu_now_ms() < deadline);
	return fail(s->h,
			"%u file descriptors, of them %u sockets, %u threads, %u regions of guest memory; "
			"%u, %u, %u, %u before",
			now->fds, now->sockets, now->threads, now->regions, base->fds,
			base->sockets, base->threads, base->regions);
}

/* Acts of the movers beside pests; after each act one pest is killed and replaced. */
static bool
act_beside_pests(struct soak *s, unsigned n, const struct holdings *base)
{
	struct hostile *h = s->h;
	struct holdings now;
	bool ok = true;

	case_begin(h);
	for (unsigned i = 0; i < PESTS && ok; i++)
		ok = start_pest(s, i);
	for (unsigned i = 0; i < n && ok; i++, s->acts++) {
		ok = movers_act(s->movers, &s->random);
		kill_pest(s, i % PESTS);
		ok = ok && start_pest(s, i % PESTS);
	}
	for (unsigned i = 0; i < PESTS; i++)
		kill_pest(s, i);
	if (!ok || (base != NULL && !settled(s, base, &now)))
		return false;
	/* Nobody announces the devices that are stopped because of pests. */
	h->stops = subject_log_count(&h->subject, h->log_mark, " stopped: ");
	h->stopped = subject_stopped(&h->subject) - h->stops;
	case_verdict(h);
	return !h->failed;
}

/* The same, and says where it failed. */
static bool
moves(struct soak *s, unsigned n, const struct holdings *base)
{
	const struct movers_done *d = movers_done(s->movers);
	char what[96];

	if (act_beside_pests(s, n, base))
		return true;
	snprintf(what, sizeof(what),
			"acts of the movers beside pests, the last one a %s of mover %u",
			d->act != NULL ? d->act : "connect", d->mover);
	return failed_in(s, what);
}

static void
report(const struct soak *s, int64_t begin)
{
	const struct movers_done *d = movers_done(s->movers);
	struct holdings now = {.fds = 0};

	held(s, &now);
	printf("# done: %jd s: %u hostile cases, %u acts: %u migrations, %u reconnects, %u reboots, %u deaths; "
	       "%u logs; %u processes killed; %ju frames of neighbours, %ju of movers, %ju dropped and "
	       "counted; slowest connect %jd ms; %ju KiB of memory\n",
			(intmax_t)(vu_now_ms() - begin) / 1000, s->run, s->acts, d->moves,
			d->reconnects, d->reboots, d->deaths, d->logs, s->kills,
			(uintmax_t)neighbours_got(s->h->neighbours), (uintmax_t)d->frames,
			(uintmax_t)d->lost, (intmax_t)d->slowest_ms, (uintmax_t)now.resident_kb);
	fflush(stdout);
}

/* The neighbours have been connected since the switch started: the counters must be what they sent. */
static bool
check_sums(struct soak *s)
{
	struct hostile *h = s->h;
	struct totals t;
	uint64_t delay;
	bool ok;

	case_begin(h);
	neighbours_rest(h->neighbours);
	ok = EXPECT(h, neighbours_settle(h->neighbours), "frames of neighbours did not arrive");
	for (unsigned i = 0; i < NEIGHBOURS && ok; i++) {
		uint64_t sent = neighbours_sent(h->neighbours, i);

		int device = subject_device(&h->subject, 0, neighbours_mac(h->neighbours, i));

		ok = EXPECT(h,
				subject_counted(&h->subject, device, sent, &t) &&
						t.dropped == neighbours_lost(h->neighbours, i),
				"neighbour %u sent %ju frames; received %ju, delivered %ju, dropped "
				"%ju",
				i, (uintmax_t)sent, (uintmax_t)t.received, (uintmax_t)t.delivered,
				(uintmax_t)t.dropped);
	}
	neighbours_check(h->neighbours, &delay);
	return ok && movers_settle(s->movers);
}

static bool
check_leaks(struct soak *s)
{
	struct hostile *h = s->h;
	const struct holdings *a = &s->start;
	struct holdings b;
	int64_t free_now = subject_buffers_free(&h->subject);

	if (!settled(s, a, &b) || !held(s, &b))
		return false;
	printf("# done: held at the end: %u file descriptors, %u sockets, %u threads, %u mappings (%u), %ju MiB (%ju), "
	       "huge %ju MiB (%ju)\n",
			b.fds, b.sockets, b.threads, b.maps, a->maps,
			(uintmax_t)b.resident_kb >> 10, (uintmax_t)a->resident_kb >> 10,
			(uintmax_t)b.huge_kb >> 10, (uintmax_t)a->huge_kb >> 10);
	EXPECT(h,
			b.file_maps <= a->file_maps + GROWTH_MAPS &&
					(b.sanitized || b.maps <= a->maps + GROWTH_MAPS),
			"%u mappings, %u of them of files; before it were %u and %u", b.maps,
			b.file_maps, a->maps, a->file_maps);
	EXPECT(h, b.resident_kb <= a->resident_kb + GROWTH_KB, "%ju KiB of memory, %ju before",
			(uintmax_t)b.resident_kb, (uintmax_t)a->resident_kb);
	EXPECT(h, b.huge_kb <= a->huge_kb, "%ju KiB of hugepages, %ju before", (uintmax_t)b.huge_kb,
			(uintmax_t)a->huge_kb);
	EXPECT(h, free_now >= s->buffers_free - BUFFERS_UNDER_WAY,
			"%jd buffers of the uplink are free, %jd before", (intmax_t)free_now,
			(intmax_t)s->buffers_free);
	return !h->failed;
}

/* Everything once, so that what is allocated at first use is there. */
static bool
warm_up(struct soak *s)
{
	struct hostile *h = s->h;

	if (!set_up(h))
		return false;
	s->movers = movers_open(h);
	if (s->movers == NULL || !subject_holdings(&h->subject, &h->base) ||
			!moves(s, WARM_ACTS, NULL))
		return false;
	for (unsigned i = 0; i < WARM_CASES; i++)
		if (!hostile_case(s))
			return false;
	if (!check_sums(s) || !held(s, &s->start))
		return false;
	s->buffers_free = subject_buffers_free(&h->subject);
	return EXPECT(h, s->buffers_free > 0, "no buffers of the uplink are free");
}

static bool
soak(struct soak *s, double seconds)
{
	int64_t begin = vu_now_ms(), end = begin + (int64_t)(seconds * 1000), next = begin;

	while (vu_now_ms() < end && !interrupted_now()) {
		if (!hostile_case(s) || !moves(s, ACTS, &s->start))
			return false;
		if (vu_now_ms() >= next + REPORT_MS) {
			next = vu_now_ms();
			report(s, begin);
		}
	}
	report(s, begin);
	case_begin(s->h);
	return check_sums(s) && check_leaks(s);
}

static void
say(unsigned number, bool ok, const char *text)
{
	printf("%s %u - soak: %s\n", ok ? "ok" : "not ok", number, text);
	fflush(stdout);
}

int
soak_run(struct hostile *h, const struct options *o, double seconds, uint64_t seed)
{
	struct soak s = {.h = h, .random = seed * 2 + 1, .begin = vu_now_ms()};
	const struct hcase *c = NULL;
	unsigned group = 0;
	bool ok, begun;

	printf("1..3\n# seed %ju\n", (uintmax_t)seed);
	while ((c = next_case(o, &group, c)) != NULL && s.n_cases < CASES_MAX)
		s.cases[s.n_cases++] = c;
	shuffle(&s);
	h->subject.tap = TAP;
	h->subject.workers = 2;
	h->subject.aging = AGING;
	h->soak = true;
	setenv("ASAN_OPTIONS", SANITIZER, 0);
	case_begin(h);
	ok = EXPECT(h, own_network(), "no network namespace of its own: %s", strerror(errno)) &&
			warm_up(&s);
	say(1, ok, "eight guests, two workers, an uplink");
	begun = ok;
	ok = ok && soak(&s, seconds);
	say(2, ok, "nothing lost, all sums agree, nothing kept");
	movers_close(s.movers);
	/* Also after a failure: a sanitizer tells of what was lost. */
	ok &= begun && the_end(h);
	say(3, ok, "SIGTERM ends the switch with status 0 and sums that agree");
	if (!ok)
		show_log(h);
	tear_down(h, false);
	return ok ? 0 : 1;
}
