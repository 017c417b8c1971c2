/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The loop of a worker lcore: see worker.h for the contract. */
#include <time.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "base/log.h"
#include "run/sleep.h"
#include "run/worker.h"
#include "switch/grace.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/round.h"
#include "switch/sink.h"

/*
 * How often, and with which pauses, the main lcore checks that workers have finished: for 5 s, or
 * more if the process gets no CPU. A burst takes microseconds, but a host may take a worker's CPU away for seconds.
 */
#define END_LOOKS 500
#define END_NAP_MS 10

int
worker_run(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = w->all->lanes->qsbr;
	struct sleeper *sleeper = w->sleeper;
	struct lane *l = w->lane;
	struct sink *uplink = port_sink(&l->shared.ports->port[PORT_UPLINK]);
	bool left;

	rte_rcu_qsbr_thread_register(qsbr, l->id);
	rte_rcu_qsbr_thread_online(qsbr, l->id);
	while (!load_relaxed(&w->all->stop)) {
		lane_round(l);
		left = uplink != NULL && uplink->ops->work != NULL && uplink->ops->work(uplink, l);
		grace_pass(qsbr, l->id);
		if (sleeper != NULL && !left)
			sleeper_round(sleeper, &w->all->stop);
	}
	rte_rcu_qsbr_thread_offline(qsbr, l->id);
	rte_rcu_qsbr_thread_unregister(qsbr, l->id);
	tsan_release(w); /* workers_end() waits for this lcore by rte_eal_mp_wait_lcore() */
	return 0;
}

void
workers_start(struct workers *all, struct lanes *lanes, uint32_t idle_sleep)
{
	struct worker *w;
	unsigned int i;

	all->lanes = lanes;
	for (i = 0; i < lanes->n; i++) {
		w = &all->worker[i];
		*w = (struct worker){.all = all, .lane = lanes->lane[i]};
		if (idle_sleep != 0) {
			w->sleeper = sleeper_create(w->lane, lanes->qsbr, idle_sleep);
			if (w->sleeper == NULL)
				say(WARNING,
						"the worker on lcore %u never sleeps: no memory or file "
						"descriptor for that; raise the limits\n",
						w->lane->lcore);
		}
		rte_eal_remote_launch(worker_run, w, w->lane->lcore);
	}
}

static unsigned int
worker_first_running(const struct lanes *lanes)
{
	unsigned int i;

	for (i = 0; i < lanes->n; i++)
		if (rte_eal_get_lcore_state(lanes->lane[i]->lcore) == RUNNING)
			break;
	return i;
}

bool
workers_end(struct workers *all)
{
	const struct timespec nap = {.tv_nsec = END_NAP_MS * 1000000};
	const struct lanes *lanes = all->lanes;
	unsigned int i, looks = 0;

	store_relaxed(&all->stop, true);
	if (lanes == NULL) /* none was started */
		return true;
	lanes_wake_all(all->lanes);
	while ((i = worker_first_running(lanes)) < lanes->n && looks++ < END_LOOKS)
		nanosleep(&nap, NULL);
	if (i < lanes->n) {
		say_error("the worker on lcore %u hangs: ended without it, and without the last "
			  "statistics; guests are cut off",
				lanes->lane[i]->lcore);
		return false;
	}
	rte_eal_mp_wait_lcore();
	for (i = 0; i < lanes->n; i++)
		tsan_acquire(&all->worker[i]); /* that call has waited, which the sanitizer does not see */
	return true;
}

void
workers_free(struct workers *all)
{
	unsigned int i;

	for (i = 0; all->lanes != NULL && i < all->lanes->n; i++) {
		sleeper_destroy(all->worker[i].sleeper);
		all->worker[i].sleeper = NULL;
	}
}
