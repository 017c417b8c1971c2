/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The loop of a worker lcore: see worker.h for who owns what. */
#include <time.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "forward/forward.h"
#include "guest/ring.h"
#include "main.h"
#include "run/place.h"
#include "uplink/uplink.h"
#include "run/worker.h"

struct worker *
worker_create(struct vswitch *sw, unsigned int id, unsigned int lcore)
{
	const struct conf *c = &sw->conf;
	struct worker *w;

	w = rte_zmalloc_socket(
			"worker", sizeof(*w), RTE_CACHE_LINE_SIZE, rte_lcore_to_socket_id(lcore));
	if (w == NULL)
		return NULL;
	w->sw = sw;
	w->id = id;
	w->lcore = lcore;
	if (c->rx_retry) {
		w->retry_delay = rte_get_tsc_hz() * c->rx_retry_delay / 1000000;
		w->retry_time = w->retry_delay * c->rx_retry_num;
	}
	return w;
}

void
worker_destroy(struct worker *w)
{
	rte_free(w);
}

static inline void
poll_guests(struct worker *w)
{
	unsigned int i, n = __atomic_load_n(&w->npoll, __ATOMIC_ACQUIRE);
	struct virtqueue *vq;

	for (i = 0; i < n; i++) {
		vq = __atomic_load_n(&w->poll[i], __ATOMIC_ACQUIRE);
		if (vq != NULL && ring_has_work(vq))
			forward_poll(w, &vq->source);
	}
}

/* The software's source, the pools of the guests there are, and one of the others. */
static inline void
poll_uplink(struct worker *w, struct uplink *u)
{
	unsigned int i, n = uplink_sources(u);

	forward_poll(w, uplink_source(u, 0));
	if (++w->idle_pool >= n)
		w->idle_pool = 1;
	for (i = 1; i < n; i++)
		if (__atomic_load_n(&w->sw->port[i - 1].state, __ATOMIC_RELAXED) == PORT_USED ||
				i == w->idle_pool)
			forward_poll(w, uplink_source(u, i));
}

int
worker_run(void *arg)
{
	struct worker *w = arg;
	struct vswitch *sw = w->sw;
	struct uplink *uplink = w->id == 0 ? sw->uplink : NULL;

	rte_rcu_qsbr_thread_register(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_online(sw->qsbr, w->id);
	while (!__atomic_load_n(&sw->stop, __ATOMIC_RELAXED)) {
		poll_guests(w);
		if (uplink != NULL)
			poll_uplink(w, uplink);
		if (sw->uplink != NULL)
			uplink_flush(sw->uplink, w->id);
		rte_rcu_qsbr_quiescent(sw->qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(sw->qsbr, w->id);
	return 0;
}

/* A worker as place.h sees it, for one more ring of a port. */
static struct seat
seat_of(const struct worker *w, uint16_t port)
{
	struct seat s = {.node = rte_lcore_to_socket_id(w->lcore)};
	unsigned int i;

	for (i = 0; i < w->npoll; i++) {
		if (w->poll[i] == NULL)
			continue;
		s.load++;
		s.same += w->poll[i]->source.port == port;
	}
	return s;
}

void
worker_add_queue(struct vswitch *sw, struct virtqueue *vq)
{
	struct seat seat[WORKER_MAX];
	struct worker *w;
	unsigned int i;

	for (i = 0; i < sw->nworkers; i++)
		seat[i] = seat_of(sw->worker[i], vq->source.port);
	w = sw->worker[place_choose(seat, sw->nworkers, place_node_of(vq->desc), place_distance)];
	for (i = 0; i < w->npoll && w->poll[i] != NULL; i++)
		;
	__atomic_store_n(&w->poll[i], vq, __ATOMIC_RELEASE);
	if (i == w->npoll)
		__atomic_store_n(&w->npoll, i + 1, __ATOMIC_RELEASE);
}

void
worker_remove_queue(struct vswitch *sw, struct virtqueue *vq)
{
	struct worker *w;
	unsigned int k, i;

	for (k = 0; k < sw->nworkers; k++) {
		w = sw->worker[k];
		for (i = 0; i < w->npoll; i++)
			if (w->poll[i] == vq)
				__atomic_store_n(&w->poll[i], NULL, __ATOMIC_RELEASE);
		for (i = w->npoll; i > 0 && w->poll[i - 1] == NULL; i--)
			;
		__atomic_store_n(&w->npoll, i, __ATOMIC_RELEASE);
	}
}

void
workers_quiesce(struct vswitch *sw)
{
	/* A burst takes some microseconds; this thread may share a worker's CPU. */
	const struct timespec nap = {.tv_nsec = 5000};
	uint64_t token = rte_rcu_qsbr_start(sw->qsbr);

	while (rte_rcu_qsbr_check(sw->qsbr, token, false) != 1)
		nanosleep(&nap, NULL);
}
