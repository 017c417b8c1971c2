/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Workers that sleep: see sleep.h for the contract. */
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "base/tsan.h"
#include "run/sleep.h"
#include "switch/lane.h"
#include "switch/source.h"

/*
 * Naps while a source cannot wake the worker. The first is about what a sleep costs; the longest is
 * what a first frame from the uplink may wait for, and costs about 1 % of a CPU.
 */
#define NAP_FIRST_NS 20000
#define NAP_LONGEST_NS 1000000

/* All sources that a lane can have, and the eventfd. */
#define FDS_MAX (1 + GUEST_MAX * QUEUE_PAIRS_MAX + PORT_MAX)

struct sleeper {
	struct lane *lane;
	struct rte_rcu_qsbr *qsbr;
	struct wake wake;
	uint64_t after;  /* cycles of the TSC without work */
	uint64_t worked; /* when the last round with work ended, as it was at the last sleep */
	long nap;        /* nanoseconds */
	bool sharp;      /* the kernel was told to end naps in time */
	unsigned int n;  /* entries of fd[] and asked[] */
	struct pollfd fd[FDS_MAX];
	struct source *asked[FDS_MAX]; /* whose entry it is; only compared */
};

struct sleeper *
sleeper_create(struct lane *l, struct rte_rcu_qsbr *qsbr, uint32_t after_us)
{
	struct sleeper *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	if (!wake_open(&s->wake)) {
		free(s);
		return NULL;
	}
	s->lane = l;
	s->qsbr = qsbr;
	s->nap = NAP_FIRST_NS;
	s->after = rte_get_tsc_hz() / 1000000 * after_us;
	l->wake = &s->wake;
	return s;
}

void
sleeper_destroy(struct sleeper *s)
{
	if (s == NULL)
		return;
	s->lane->wake = NULL;
	wake_close(&s->wake);
	free(s);
}

/* Calls a function for each source of the lane, as long as it returns true. */
static bool
sleeper_each(struct sleeper *s, bool (*visit)(struct sleeper *s, struct source *from))
{
	unsigned int i, k, n, npoll = load_acquire(&s->lane->npoll);
	struct source *from;
	struct polled *p;

	for (i = 0; i < npoll; i++) {
		p = load_acquire(&s->lane->poll[i]);
		n = p != NULL ? load_acquire(&p->n) : 0;
		for (k = 0; k < n; k++) {
			from = load_acquire(&p->source[k]);
			if (from != NULL && !visit(s, from))
				return false;
		}
	}
	return true;
}

/*
 * Returns true if a source has nothing; without a bell, the last round has looked. Frames that wait are offered again
 * by this worker alone, also when their sender was stopped meanwhile.
 */
static bool
sleeper_is_quiet(struct sleeper *s, struct source *from)
{
	RTE_SET_USED(s);
	if (from->waiting)
		return false;
	return from->bell == NULL || !source_has_work(from) ||
			(from->ops->is_over != NULL && from->ops->is_over(from));
}

static bool
sleeper_ask(struct sleeper *s, struct source *from)
{
	int fd;

	/* Somebody changes the list, and has written to the eventfd: this sleep ends at once. */
	if (s->n == FDS_MAX)
		return false;
	fd = from->ops->ask != NULL ? from->ops->ask(from) : SOURCE_NAPS;
	/* The kernel passes over an entry without a file descriptor. */
	s->fd[s->n] = (struct pollfd){.fd = fd, .events = POLLIN};
	s->asked[s->n++] = from;
	return true;
}

/*
 * Ends what sleeper_ask() began. The list may have changed since: a source that is new was not
 * asked, and one that is gone is not touched.
 */
static bool
sleeper_hush(struct sleeper *s, struct source *from)
{
	unsigned int i = s->n;
	bool kicked = i < FDS_MAX && s->asked[i] == from && s->fd[i].revents != 0;

	s->n++;
	if (from->ops->hush != NULL)
		from->ops->hush(from, kicked);
	return true;
}

/* Returns true if some source can't wake the worker. */
static bool
sleeper_has_to_nap(const struct sleeper *s)
{
	unsigned int i;

	for (i = 1; i < s->n; i++)
		if (s->fd[i].fd == SOURCE_NAPS)
			return true;
	return false;
}

/* Chooses how long to sleep at most. Returns NULL if there is no limit. */
static const struct timespec *
sleeper_limit(struct sleeper *s, struct timespec *limit)
{
	if (!sleeper_has_to_nap(s))
		return NULL;
	if (!s->sharp)
		prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	s->sharp = true;
	if (s->worked != s->lane->load.worked)
		s->nap = NAP_FIRST_NS;
	*limit = (struct timespec){.tv_nsec = s->nap};
	s->nap = RTE_MIN(2 * s->nap, NAP_LONGEST_NS);
	return limit;
}

/*
 * Waits, offline. A signal, an error, or a file descriptor whose number has another meaning by now all
 * end the wait: the worker looks at its rings then, as after any other.
 */
static void
sleeper_wait(struct sleeper *s)
{
	struct lane_load *load = &s->lane->load;
	struct timespec time;
	const struct timespec *limit = sleeper_limit(s, &time);
	uint64_t begin = rte_rdtsc();

	store_relaxed(&load->since, begin);
	tsan_release(s->qsbr); /* as grace_pass() */
	rte_rcu_qsbr_thread_offline(s->qsbr, s->lane->id);
	if (ppoll(s->fd, s->n, limit, NULL) < 0)
		s->fd[0].revents = 0;
	rte_rcu_qsbr_thread_online(s->qsbr, s->lane->id);
	load->last = rte_rdtsc();
	s->lane->stall.unasked = true;
	store_relaxed(&load->since, 0);
	store_relaxed(&load->asleep, load->asleep + (load->last - begin));
	if (s->fd[0].revents != 0)
		wake_take(&s->wake);
}

void
sleeper_round(struct sleeper *s, const bool *stop)
{
	const struct lane_load *load = &s->lane->load;
	bool quiet;

	if (likely(load->last - load->worked < s->after) || !sleeper_each(s, sleeper_is_quiet))
		return;
	s->fd[0] = (struct pollfd){.fd = s->wake.fd, .events = POLLIN};
	s->n = 1;
	sleeper_each(s, sleeper_ask);
	/* Drivers must see the requests before the rings are looked at. Their own barrier pairs with this. */
	fence_seq_cst();
	quiet = sleeper_each(s, sleeper_is_quiet);
	if (quiet && !load_relaxed(stop))
		sleeper_wait(s);
	s->worked = load->worked;
	s->n = 1;
	sleeper_each(s, sleeper_hush);
}
