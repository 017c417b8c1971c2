/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * vhost-switch: a switch between virtio-net devices and one uplink.
 *
 * The whole life of the process: options are checked, EAL starts, the uplink and
 * the forwarding table are made, workers run, sockets open. Then the main lcore
 * sleeps until a signal, a second, or somebody's wake-up; and takes all down in
 * the reverse order. Where to go from here: switch/ for the way of a frame,
 * guest/guest.c for the life of a guest, run/control.c for what the main lcore does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>

#include "run/control.h"
#include "run/eal.h"
#include "conf/cpus.h"
#include "conf/conf_parse.h"
#include "conf/eal_args.h"
#include "switch/fdb.h"
#include "guest/cuse/cuse.h"
#include "guest/connect.h"
#include "guest/fds.h"
#include "guest/guest.h"
#include "guest/signal.h"
#include "guest/sigbus.h"
#include "guest/vhost_user.h"
#include "main.h"
#include "base/output.h"
#include "run/ready.h"
#include "run/telemetry.h"
#include "uplink/uplink.h"
#include "run/worker.h"

/*
 * Requests to learn that may wait for the main lcore: 16 from each of 256
 * guests (switch/route.c). One that finds no room is made again with the next frame.
 */
#define REQUESTS 4096

static void
say_too_few(void)
{
	char example[64] = "-l 0,1";
	struct cpus cpus;

	if (cpus_find(&cpus))
		cpus_example(&cpus.usable, example, sizeof(example));
	say_error("too few lcores: the main lcore and at least one worker are needed, as in %s",
			example);
}

static bool
make_workers(struct vswitch *sw)
{
	unsigned int lcore, n = rte_lcore_count() - 1;

	if (n == 0) {
		say_too_few();
		return false;
	}
	if (n > WORKER_MAX) {
		say_error("too many lcores: %u workers, and %d are of use", n, WORKER_MAX);
		return false;
	}
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		sw->worker[sw->nworkers] = worker_create(sw, sw->nworkers, lcore);
		if (sw->worker[sw->nworkers] == NULL) {
			say_error("no memory for the worker on lcore %u: reserve more hugepages",
					lcore);
			return false;
		}
		sw->nworkers++;
	}
	return true;
}

/* What all parts share: RCU, the table, the queue of requests. */
static bool
make_common(struct vswitch *sw)
{
	size_t size = rte_rcu_qsbr_get_memsize(WORKER_MAX);

	sw->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sw->qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (sw->qsbr != NULL) {
		rte_rcu_qsbr_init(sw->qsbr, WORKER_MAX);
		sw->fdb = fdb_create(sw->conf.aging, sw->qsbr);
	}
	sw->requests = rte_ring_create_elem(
			"requests", sizeof(struct request), REQUESTS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (sw->wake_fd >= 0 && sw->fdb != NULL && sw->requests != NULL)
		return true;
	say_error("no memory for the forwarding table: reserve more hugepages");
	return false;
}

static bool
start(struct vswitch *sw)
{
	unsigned int i;

	if (!make_workers(sw) || !make_common(sw))
		return false;
	if (sw->conf.uplink) {
		sw->uplink = uplink_open(&sw->conf, sw->nworkers);
		if (sw->uplink == NULL)
			return false;
	}
	sigbus_init(sw);
	fds_init();
	if (!signal_start()) {
		say_error("no thread to watch signals: %s", strerror(errno));
		return false;
	}
	telemetry_start(sw);
	for (i = 0; i < sw->nworkers; i++)
		rte_eal_remote_launch(worker_run, sw->worker[i], sw->worker[i]->lcore);
	return vhost_user_start(sw) && cuse_start(sw);
}

/*
 * Lets the workers finish and the guests go; the counters are final then. With a worker that
 * hangs the process ends here: what it uses can't be taken down.
 */
static void
stop(struct vswitch *sw, bool served)
{
	notify_send(&sw->notify, "STOPPING=1");
	if (!workers_end(sw)) {
		if (served)
			vhost_user_abandon(sw);
		output_flush();
		_exit(EXIT_FAILURE);
	}
	cuse_stop(sw);
	vhost_user_stop(sw);
	uplink_stop(sw->uplink, &sw->control[PORT_UPLINK]);
}

/* Frees what start() made, all or part of it. */
static void
release(struct vswitch *sw)
{
	unsigned int i;

	telemetry_stop();
	uplink_free(sw->uplink);
	fdb_destroy(sw->fdb);
	rte_ring_free(sw->requests);
	rte_free(sw->qsbr);
	guests_destroy(sw);
	for (i = 0; i < sw->nworkers; i++)
		worker_destroy(sw->worker[i]);
}

int
main(int argc, char **argv)
{
	static struct vswitch sw; /* large, and zeroed */
	struct eal_args args = {0};
	bool served = false;
	int rc = EXIT_FAILURE;

	switch (conf_parse(&sw.conf, argc, argv)) {
	case CONF_DONE:
		return EXIT_SUCCESS;
	case CONF_ERROR:
		return EXIT_FAILURE;
	case CONF_RUN:
		break;
	}
	/* Before any thread is there, so that all of them inherit it. */
	control_block_signals();
	if (!log_init() || !eal_start(&args, argc, argv))
		return EXIT_FAILURE;
	notify_open(&sw.notify);
	if (!log_start())
		say_error("no thread for the log: end other processes, or raise their limit");
	else if ((served = start(&sw))) {
		ready_say(&sw);
		notify_send(&sw.notify, "READY=1");
		rc = control_run(&sw) ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	stop(&sw, served);
	if (rc == EXIT_SUCCESS)
		control_table(&sw);
	release(&sw);
	notify_close(&sw.notify);
	rte_eal_cleanup();
	output_flush();
	eal_args_free(&args);
	return rc;
}
