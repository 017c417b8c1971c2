/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Finds workers that hang: see watch.h for the contract. */
#include <unistd.h>

#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "base/log.h"
#include "run/watch.h"
#include "switch/lane.h"
#include "switch/lanes.h"

/*
 * After so many looks, a second apart, a worker is reported to hang. A burst takes microseconds. A
 * worker without its own CPU may wait for one, or for a page of a guest's that was swapped out, but
 * not for seconds. Looks are counted and not time: while the whole process is stopped there are
 * none.
 */
#define LOOKS_MAX 5

/* Returns true if this worker has been between two bursts since the token was taken. */
static bool
watch_passed(const struct lanes *lanes, const struct lane *l, uint64_t token)
{
	uint64_t seen = load_acquire(&lanes->qsbr->qsbr_cnt[l->id].cnt);

	/* 0 means that it is not online, as before its first burst. */
	return seen == 0 || seen >= token;
}

static void
watch_say_changes(struct watch *w, const struct lane *l, bool works)
{
	bool *named = &w->named[l->id];

	if (works && *named)
		say(NOTICE, "the worker on lcore %u goes on\n", l->lcore);
	else if (!works && !*named && w->looks >= LOOKS_MAX)
		say(ERR,
				"the worker on lcore %u hangs: none of its bursts ended for %u s; "
				"gdb -p %d -batch -ex 'thread apply all bt' shows where it is\n",
				l->lcore, w->looks, getpid());
	else
		return;
	*named = !*named;
}

bool
watch_workers(struct watch *w, const struct lanes *lanes)
{
	bool all = true, works;
	unsigned int i;

	w->looks++;
	for (i = 0; i < lanes->n; i++) {
		works = watch_passed(lanes, lanes->lane[i], w->token);
		watch_say_changes(w, lanes->lane[i], works);
		all &= works;
	}
	if (all) {
		w->token = rte_rcu_qsbr_start(lanes->qsbr);
		w->looks = 0;
	}
	return all;
}
