/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * hostile: guests that break the rules, against a vhost-switch that it starts. Prints TAP.
 *
 * 	hostile [--switch PROGRAM] [--workers 1|2] [--mergeable] [--packed] [--offload] [--plain]
 * 	        [--keep] [--unjudged] [CASE...]
 * 	hostile --uplink|--rates [--patient] [--switch PROGRAM] [--workers 1|2] [CASE...]
 * 	hostile --soak SECONDS [--seed N] [--lcores LCORES] [--switch PROGRAM] ... [CASE...]
 * 	hostile --list
 *
 * --mergeable and --packed: all guests have mergeable buffers, or packed rings; only cases that
 * differ then are run. --offload: the switch offers checksums and segmentation, and the cases for
 * that are run, with the widest vectors. --plain: the switch uses no vector instructions of its own
 * (base/simd.h).
 *
 * --uplink: the switch has an uplink that brings frames without end. --rates: guests that want more
 * than their share (cases_share.c, cases_fresh.c). Both are for a program without sanitizers, whose work costs
 * what frame/cost.h says. --patient: frames wait for room for as long as can be set.
 * --unjudged: the rates and delays of honest guests are printed and not judged, for a program that is many times slower
 * than usual.
 *
 * The program under test is build-san/vhost-switch unless another is named (also by the
 * variable HOSTILE_SWITCH). Begin to read in hostile.h.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "hostile.h"
#include "pest.h"
#include "soak.h"

#define STOP_MS 30000 /* the leak check of a sanitized program runs at its exit */
#define SLOW_MS 1500  /* a case that takes longer says so */
#define LOG_TAIL 3000 /* bytes of the log that are shown with a failure */

/* How often a case is run before honest guests must have got their share: what is unfair is unfair each time. */
#define TRIES 4

/* The tables of cases, and the modes in which they are run if no case is named. */
static const struct group {
	const struct hcase *cases;
	unsigned modes;
} groups[] = {
		{cases_tx, IN(0) | IN(PACKED)},
		{cases_rx, IN(0) | IN(MERGEABLE) | IN(PACKED) | IN(ALL)},
		{cases_ring, IN(0) | IN(MERGEABLE)},
		{cases_indirect, IN(0) | IN(PACKED)},
		{cases_race, IN(0) | IN(MERGEABLE)},
		{cases_packed, IN(PACKED) | IN(ALL)},
		{cases_packed_ring, IN(PACKED) | IN(ALL)},
		{cases_packed_race, IN(PACKED) | IN(ALL)},
		{cases_pairs, IN(0) | IN(ALL)},
		{cases_pairs_traffic, IN(0) | IN(ALL)},
		{cases_pairs_storm, IN(0) | IN(ALL)},
		{cases_offload, IN(OFFLOAD) | IN(ALL)},
		{cases_offload_fuzz, IN(OFFLOAD) | IN(ALL)},
		{cases_log, IN(0) | IN(ALL)},
		{cases_address, IN(0)},
		{cases_life, IN(0) | IN(PACKED)},
		{cases_memory, IN(0) | IN(MERGEABLE) | IN(PACKED)},
		{cases_vring, IN(0) | IN(PACKED)},
		{cases_fds, IN(0)},
		{cases_files, IN(0)},
		{cases_stuck, IN(0)},
		{cases_share, IN(RATES)},
		{cases_fresh, IN(RATES)},
		{cases_uplink, IN(UPLINK)},
		{cases_order, IN(0) | IN(PACKED)},
		{cases_message, IN(0)},
		{cases_storm, IN(0)},
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

/* Set by SIGINT and SIGTERM: no further case is begun, and everything is cleaned up. */
static volatile sig_atomic_t interrupted;

static void
interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

bool
interrupted_now(void)
{
	return interrupted != 0;
}

struct options {
	bool list, keep;
	unsigned mode;
	double soak; /* seconds; 0: no soak */
	uint64_t seed;
	char **names;
	int n_names;
};

static bool
wanted(const struct options *o, const struct group *g, const struct hcase *c)
{
	for (int i = 0; i < o->n_names; i++)
		if (strcmp(o->names[i], c->name) == 0)
			return true;
	return o->n_names == 0 && (g->modes & IN(o->mode)) != 0 &&
			(c->modes == 0 || (c->modes & IN(o->mode)) != 0);
}

const struct hcase *
next_case(const struct options *o, unsigned *group, const struct hcase *after)
{
	const struct hcase *c = after != NULL ? after + 1 : groups[*group].cases;

	for (;;) {
		for (; c->name != NULL; c++)
			if (wanted(o, &groups[*group], c))
				return c;
		if (++*group == N_GROUPS)
			return NULL;
		c = groups[*group].cases;
	}
}

/* Waits until an honest guest is known; *device is its number. */
static bool
is_learned(struct hostile *h, const uint8_t *m, int *device)
{
	*device = subject_device(&h->subject, 0, m);
	return EXPECT(h, *device >= 0, "the switch did not learn %02x:%02x:%02x:%02x:%02x:%02x",
			m[0], m[1], m[2], m[3], m[4], m[5]);
}

bool
set_up(struct hostile *h)
{
	struct subject *s = &h->subject;
	struct gauge_rate alone;
	int device;

	if (!subject_start(s))
		return fail(h, "%s did not start", s->program);
	if (!cpu_time_find(&h->cpu_time, s->pid, s->workers))
		return fail(h, "the kernel does not tell of %u workers", s->workers);
	h->neighbours = neighbours_connect(s->honest_socket, h->features, &h->cpu_time, h->soak);
	if (h->neighbours == NULL)
		return fail(h, "the neighbours could not connect");
	h->gauge = gauge_connect(s->honest_socket, &h->cpu_time);
	if (h->gauge == NULL)
		return fail(h, "the honest pair could not connect");
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (!is_learned(h, neighbours_mac(h->neighbours, i), &device))
			return false;
	for (unsigned i = 0; i < 2; i++)
		if (!is_learned(h, gauge_mac(h->gauge, i), &h->gauge_device[i]))
			return false;
	if (!neighbours_go(h->neighbours) || !gauge_go(h->gauge))
		return fail(h, "the honest guests did not begin");
	if (!subject_telemetry(s))
		return fail(h, "no telemetry");
	memset(h->usual, 0, sizeof(h->usual));
	h->stopped = 0;
	if (!h->soak && !rate_alone(h, &alone))
		return fail(h, "%s", h->unfair);
	return subject_holdings(s, &h->base);
}

void
show_log(struct hostile *h)
{
	struct subject *s = &h->subject;
	size_t from = h->log_mark;
	char *line, *save;

	subject_read_log(s);
	if (s->log == NULL || from >= s->log_len)
		return;
	if (s->log_len - from > LOG_TAIL)
		from = s->log_len - LOG_TAIL;
	line = strdup(s->log + from);
	for (char *p = strtok_r(line, "\n", &save); p != NULL; p = strtok_r(NULL, "\n", &save))
		printf("#   %s\n", p);
	free(line);
}

static void
end_honest(struct hostile *h)
{
	neighbours_end(h->neighbours);
	gauge_end(h->gauge);
	cpu_time_forget(&h->cpu_time);
	h->neighbours = NULL;
	h->gauge = NULL;
}

void
tear_down(struct hostile *h, bool keep)
{
	if (h->subject.dir[0] != '\0' && keep)
		remark("files kept in %s", h->subject.dir);
	end_honest(h);
	subject_end(&h->subject, keep);
}

bool
the_end(struct hostile *h)
{
	struct totals t;
	const char *wrong;
	bool stopped;

	case_begin(h);
	end_honest(h);
	stopped = subject_stop(&h->subject, STOP_MS);
	EXPECT(h, stopped, "after SIGTERM: %s, wait status %#x",
			h->subject.pid != 0 ? "still running" : "ended",
			(unsigned)h->subject.status);
	EXPECT(h, subject_log_count(&h->subject, h->log_mark, "Sanitizer") == 0,
			"a sanitizer reports in the log");
	if (EXPECT(h, subject_last_table(&h->subject, &t), "no last statistics table")) {
		wrong = subject_totals_wrong(&t);
		EXPECT(h, wrong == NULL, "%s", wrong);
		EXPECT(h, t.received > 0, "nothing was received");
	}
	EXPECT(h, access(h->subject.socket, F_OK) < 0, "a socket was left behind");
	return !h->failed;
}

static void
say(struct hostile *h, unsigned number, const char *name, const char *text)
{
	if (h->failed)
		show_log(h);
	printf("%s %u - %s: %s\n", h->failed ? "not ok" : "ok", number, name, text);
	fflush(stdout);
}

static void
run_case(struct hostile *h, const struct hcase *c, const struct options *o)
{
	int64_t begin = vu_now_ms();
	bool failed;

	case_begin(h);
	if (h->neighbours == NULL) { /* this is the first case, or the last one failed */
		if (!set_up(h)) {
			tear_down(h, o->keep);
			return;
		}
	}
	for (unsigned i = 1;; i++) {
		case_begin(h);
		c->run(h, c->arg);
		case_verdict(h);
		if (h->unfair[0] == '\0' || h->failed)
			break;
		if (i == TRIES) {
			fail(h, "%s", h->unfair);
			break;
		}
		remark("%s: again, with another switch", h->unfair);
		tear_down(h, o->keep);
		if (!set_up(h)) {
			tear_down(h, o->keep);
			return;
		}
	}
	if (vu_now_ms() - begin > SLOW_MS)
		remark("%jd ms", (intmax_t)(vu_now_ms() - begin));
	if (!h->failed)
		return;
	/*
	 * After a failure the switch may be dead, hang or have lost something: it would say nothing
	 * about the next case.
	 */
	failed = h->failed;
	show_log(h);
	tear_down(h, o->keep);
	h->failed = failed;
	h->log_mark = 0;
}

static int
run_all(struct hostile *h, const struct options *o)
{
	unsigned number = 0, n_failed = 0, total = 0, group = 0;

	for (const struct hcase *c = NULL; (c = next_case(o, &group, c)) != NULL;)
		total++;
	if (total == 0) {
		fprintf(stderr, "hostile: no such case; see --list\n");
		return 2;
	}
	printf("1..%u\n", total + 1);
	fflush(stdout);
	group = 0;
	for (const struct hcase *c = NULL; (c = next_case(o, &group, c)) != NULL;) {
		if (interrupted) {
			tear_down(h, o->keep);
			printf("Bail out! interrupted\n");
			return 1;
		}
		run_case(h, c, o);
		n_failed += h->failed;
		say(h, ++number, c->name, c->says);
	}
	case_begin(h);
	if (h->neighbours != NULL || set_up(h))
		the_end(h);
	n_failed += h->failed;
	say(h, ++number, "the-end", "SIGTERM ends the switch with status 0 and sums that agree");
	tear_down(h, o->keep);
	return n_failed > 0 ? 1 : 0;
}

/* Returns build-san/vhost-switch of the tree that this program is in. */
static const char *
default_program(const char *self)
{
	static char path[PATH_MAX + 32];
	char dir[PATH_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", self);
	while ((slash = strrchr(dir, '/')) != NULL) {
		*slash = '\0';
		snprintf(path, sizeof(path), "%s/build-san/vhost-switch", dir);
		if (access(path, X_OK) == 0)
			return path;
	}
	return "build-san/vhost-switch";
}

/* Takes an option. Returns -1, or the exit status if that was all. */
static int
parse_option(struct hostile *h, struct options *o, int c)
{
	if (c == 's')
		h->subject.program = optarg;
	else if (c == 'w')
		h->subject.workers = (unsigned)atoi(optarg);
	else if (c == 'm')
		o->mode |= MERGEABLE;
	else if (c == 'p')
		o->mode |= PACKED;
	else if (c == 'o')
		o->mode |= OFFLOAD;
	else if (c == 'r')
		o->mode |= RATES;
	else if (c == 'u')
		o->mode |= UPLINK;
	else if (c == 'P')
		h->subject.patient = true;
	else if (c == 'U')
		h->unjudged = true;
	else if (c == 'n')
		h->subject.plain = true;
	else if (c == 'k')
		o->keep = true;
	else if (c == 'l')
		o->list = true;
	else if (c == 'S')
		o->soak = strtod(optarg, NULL);
	else if (c == 'e')
		o->seed = strtoull(optarg, NULL, 10);
	else if (c == 'i')
		h->subject.idle_sleep = optarg;
	else if (c == 'c')
		h->subject.lcores = optarg;
	else if (c == 'q')
		return pest_run(optarg);
	else if (c == 'v')
		return victim_run(optarg);
	else
		return 2;
	return -1;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
			{"switch", required_argument, NULL, 's'},
			{"workers", required_argument, NULL, 'w'},
			{"mergeable", no_argument, NULL, 'm'},
			{"packed", no_argument, NULL, 'p'},
			{"offload", no_argument, NULL, 'o'},
			{"rates", no_argument, NULL, 'r'},
			{"uplink", no_argument, NULL, 'u'},
			{"patient", no_argument, NULL, 'P'},
			{"unjudged", no_argument, NULL, 'U'},
			{"plain", no_argument, NULL, 'n'},
			{"keep", no_argument, NULL, 'k'},
			{"list", no_argument, NULL, 'l'},
			{"soak", required_argument, NULL, 'S'},
			{"seed", required_argument, NULL, 'e'},
			{"idle-sleep", required_argument, NULL, 'i'},
			{"lcores", required_argument, NULL, 'c'},
			{"pest", required_argument, NULL, 'q'},   /* for soak.c itself */
			{"victim", required_argument, NULL, 'v'}, /* for cases_life.c itself */
			{NULL, 0, NULL, 0},
	};
	static struct hostile h;
	static char self[PATH_MAX];
	struct options o = {.seed = 1};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int c, rc;

	h.self = n > 0 ? self : argv[0];
	h.subject.workers = 1;
	h.subject.program = getenv("HOSTILE_SWITCH");
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		rc = parse_option(&h, &o, c);
		if (rc >= 0)
			return rc;
	}
	if (h.subject.program == NULL)
		h.subject.program = default_program(self);
	h.subject.mergeable = (o.mode & (MERGEABLE | RATES)) != 0;
	h.subject.offload = (o.mode & (OFFLOAD | RATES)) != 0;
	h.subject.uplink = (o.mode & UPLINK) != 0;
	h.features = (o.mode & MERGEABLE ? VU_F_MRG_RXBUF : 0) |
			(o.mode & PACKED ? VU_F_RING_PACKED : 0);
	o.names = argv + optind;
	o.n_names = argc - optind;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	if (o.soak > 0)
		return soak_run(&h, &o, o.soak, o.seed);
	if (!o.list)
		return run_all(&h, &o);
	for (unsigned g = 0; g < N_GROUPS; g++)
		for (const struct hcase *t = groups[g].cases; t->name != NULL; t++)
			printf("%-32s %s\n", t->name, t->says);
	return 0;
}
