/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * vhost-switch: a switch between virtio-net devices and one uplink.
 *
 * The whole life of the process: options are checked, EAL starts, the uplink and
 * the forwarding table are made, workers run, sockets open. Then the main lcore
 * serves signals, a timer of a second, and wake-ups by other threads. At the end
 * it takes everything down in the reverse order. Read on in switch/ for the way of a frame,
 * guest/guest.c for the life of a guest, run/control.c for what the main lcore does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "main.h"
#include "base/log.h"
#include "base/output.h"
#include "conf/cpus.h"
#include "conf/conf_parse.h"
#include "conf/eal_args.h"
#include "frame/sum.h"
#include "guest/cuse/cuse.h"
#include "guest/fds.h"
#include "guest/sigbus.h"
#include "guest/signal.h"
#include "guest/vhost_user.h"
#include "run/change.h"
#include "run/control.h"
#include "run/eal.h"
#include "run/ready.h"
#include "run/rpc.h"
#include "run/telemetry.h"
#include "switch/fdb.h"
#include "switch/lane.h"
#include "uplink/uplink.h"

static void
main_say_too_few(void)
{
	char example[64] = "-l 0,1";
	struct cpus cpus;

	if (cpus_find(&cpus))
		cpus_example(&cpus.usable, example, sizeof(example));
	say_error("too few lcores: the main lcore and at least one worker are needed, as in %s",
			example);
}

static bool
main_make_lanes(struct whole *w)
{
	const struct shared shared = {
			.conf = w->conf,
			.ports = &w->ports,
			.fdb = w->fdb,
			.learn = &w->learn,
	};
	unsigned int lcore, n = rte_lcore_count() - 1;
	struct lanes *all = &w->lanes;

	if (n == 0) {
		main_say_too_few();
		return false;
	}
	if (n > WORKER_MAX) {
		say_error("too many lcores: %u workers, and %d are of use", n, WORKER_MAX);
		return false;
	}
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		all->lane[all->n] = lane_create(&shared, all->n, lcore);
		if (all->lane[all->n] == NULL) {
			say_error("no memory for the worker on lcore %u: reserve more hugepages",
					lcore);
			return false;
		}
		lane_measure(all->lane[all->n++]);
	}
	return true;
}

/* Makes what all lanes share: RCU, the table of addresses, the queue of requests to learn. */
static bool
main_make_shared(struct whole *w)
{
	size_t size = rte_rcu_qsbr_get_memsize(WORKER_MAX);
	struct rte_rcu_qsbr *qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);

	w->lanes.qsbr = qsbr;
	if (qsbr != NULL) {
		rte_rcu_qsbr_init(qsbr, WORKER_MAX);
		w->fdb = fdb_create(w->conf->aging, qsbr);
	}
	if (wake_open(&w->wake) && w->fdb != NULL && learn_init(&w->learn, &w->wake))
		return true;
	say_error("no memory for the forwarding table: reserve more hugepages");
	return false;
}

/* Gives each part of the switch the objects of main() that it works on. */
static void
main_introduce(struct whole *w)
{
	w->wake.fd = -1;
	w->guests = (struct guests){
			.conf = w->conf,
			.ports = &w->ports,
			.lanes = &w->lanes,
			.wake = &w->wake,
			.outside = w->stats.outside,
			.spaces.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	w->parts = (struct parts){
			.conf = w->conf,
			.ports = &w->ports,
			.learn = &w->learn,
			.lanes = &w->lanes,
			.guests = &w->guests,
			.statics = &w->statics,
			.stats = &w->stats,
			.loads = &w->loads,
			.notify = &w->notify,
			.reload = &w->reload,
			.wake = &w->wake,
	};
}

static bool
main_resolve(struct whole *w)
{
	w->conf = malloc(sizeof(*w->conf));
	if (w->conf == NULL) {
		say_error("no memory for the settings");
		return false;
	}
	*w->conf = w->given;
	return conf_resolve(w->conf);
}

static bool
main_open_uplink(struct whole *w)
{
	unsigned int i;

	w->uplink = uplink_open(w->conf, &w->ports, w->lanes.n);
	for (i = 0; w->uplink != NULL && i < uplink_sources(w->uplink); i++)
		lanes_add_uplink(&w->lanes, uplink_source(w->uplink, i), i);
	return w->uplink != NULL;
}

static bool
main_start(struct whole *w)
{
	if (!main_make_shared(w) || !main_make_lanes(w) ||
			(w->conf->uplink && !main_open_uplink(w)))
		return false;
	w->parts.fdb = w->fdb;
	w->parts.uplink = w->uplink;
	sigbus_init(&w->guests);
	fds_init();
	sum_choose();
	if (!signal_start()) {
		say_error("no thread to watch signals: %s", strerror(errno));
		return false;
	}
	telemetry_start(&w->parts);
	workers_start(&w->workers, &w->lanes, w->conf->idle_sleep);
	if (!vhost_user_start(&w->guests) || !cuse_start(&w->cuse, &w->guests))
		return false;
	w->parts.changes = changes_create(&w->parts, &w->given, w->argc, w->argv);
	w->reload.changes = w->parts.changes;
	return w->parts.changes != NULL && rpc_open(&w->parts.rpc, &w->parts);
}

/*
 * Ends the workers and the guests. The counters are final then. If a worker hangs, the process ends
 * here: what that worker uses can't be freed.
 */
static void
main_stop(struct whole *w, bool served)
{
	notify_send_once(&w->notify, "STOPPING=1");
	store_relaxed(&w->guests.ending, true);
	changes_cancel(w->parts.changes);
	rpc_close(w->parts.rpc);
	w->parts.rpc = NULL;
	if (!workers_end(&w->workers)) {
		if (served)
			vhost_user_abandon(&w->guests);
		output_flush();
		_exit(EXIT_FAILURE);
	}
	changes_stop(w->parts.changes);
	cuse_stop(w->cuse);
	vhost_user_stop(&w->guests);
	uplink_stop(w->uplink, &w->stats.outside[PORT_UPLINK]);
}

/* Frees what main_start() made, all or part of it. */
static void
main_release(struct whole *w)
{
	unsigned int i;

	telemetry_stop();
	uplink_free(w->uplink);
	fdb_destroy(w->fdb);
	statics_free(&w->statics);
	learn_free(&w->learn);
	rte_free(w->lanes.qsbr);
	guests_destroy(&w->guests);
	workers_free(&w->workers);
	for (i = 0; i < w->lanes.n; i++)
		lane_destroy(w->lanes.lane[i]);
	wake_close(&w->wake);
	changes_destroy(w->parts.changes);
	free((void *)(uintptr_t)w->parts.conf);
}

int
main(int argc, char **argv)
{
	static struct whole w; /* large, and zeroed */
	struct eal_args args = {0};
	bool served = false;
	int rc = EXIT_FAILURE;

	switch (conf_parse_given(&w.given, argc, argv)) {
	case CONF_DONE:
		return EXIT_SUCCESS;
	case CONF_ERROR:
		return EXIT_FAILURE;
	case CONF_RUN:
		break;
	}
	if (!main_resolve(&w))
		return EXIT_FAILURE;
	/* Before any other thread exists, so that all of them inherit the mask. */
	control_block_signals();
	if (!log_init() || !eal_start(&args, argc, argv))
		return EXIT_FAILURE;
	w.argc = argc;
	w.argv = argv;
	main_introduce(&w);
	notify_open(&w.notify);
	if (!log_start())
		say_error("no thread for the log: end other processes, or raise their limit");
	else if ((served = main_start(&w))) {
		ready_say(w.conf, w.lanes.n);
		notify_send_once(&w.notify, "READY=1");
		rc = control_run(&w.parts) ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	main_stop(&w, served);
	if (rc == EXIT_SUCCESS)
		control_table(&w.parts);
	main_release(&w);
	notify_close(&w.notify);
	rte_eal_cleanup();
	output_flush();
	eal_args_free(&args);
	return rc;
}
