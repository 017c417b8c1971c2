/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The loop of a worker lcore: see worker.h for who owns what. */
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "switch/forward.h"
#include "switch/grace.h"
#include "guest/ring.h"
#include "main.h"
#include "switch/place.h"
#include "uplink/uplink.h"
#include "run/worker.h"

/*
 * How much longer than one whose destination is full a frame waits whose destination was
 * put off: as long as a worker that has the ring may be without its CPU.
 */
#define PUT_OFF_MS 10

/*
 * How often, and how long between, the main lcore looks whether a worker has finished: 2 s, or
 * more where the process gets no CPU. A burst takes microseconds.
 */
#define END_LOOKS 200
#define END_NAP_MS 10

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
	w->put_off_time = rte_get_tsc_hz() / (1000 / PUT_OFF_MS);
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

/* Polls a source at the charge of a share. Returns whether the share may have more. */
static inline bool
poll_source(struct worker *w, struct share *share, struct source *s)
{
	uint32_t cost;

	if (unlikely(!share_may(&w->clock, share)))
		return false;
	cost = forward_poll(w, s);
	if (cost != 0)
		share_visited(&w->clock, share, cost);
	return true;
}

/* Visits each of a guest's rings once, as far as its share goes; the next round goes on there. */
static __rte_noinline void
poll_rings(struct worker *w, struct polled *s, unsigned int n)
{
	struct virtqueue *vq;
	unsigned int i, at = s->next;

	for (i = 0; i < n; i++, at++) {
		if (at >= n)
			at = 0;
		vq = load_acquire(&s->ring[at]);
		if (vq == NULL || !ring_has_work(vq))
			continue;
		if (!poll_source(w, &s->share, &vq->source))
			break;
	}
	s->next = at;
}

/* Most guests have one ring here, and most of those nothing to do: that is all that a round looks at. */
static inline void
poll_guest(struct worker *w, struct polled *s)
{
	unsigned int n = load_acquire(&s->n);
	struct virtqueue *vq;

	if (unlikely(n != 1)) {
		poll_rings(w, s, n);
		return;
	}
	vq = load_acquire(&s->ring[0]);
	if (vq != NULL && ring_has_work(vq))
		poll_source(w, &s->share, &vq->source);
}

static inline void
poll_guests(struct worker *w)
{
	unsigned int i, n = load_acquire(&w->npoll);
	struct polled *s;

	for (i = 0; i < n; i++) {
		s = load_acquire(&w->poll[i]);
		if (likely(s != NULL))
			poll_guest(w, s);
	}
}

/* The software's source, the pools of the guests there are, and one of the others. */
static inline void
poll_uplink(struct worker *w, struct uplink *u)
{
	unsigned int i, n = uplink_sources(u);

	poll_source(w, &w->pool[0], uplink_source(u, 0));
	if (++w->idle_pool >= n)
		w->idle_pool = 1;
	for (i = 1; i < n; i++)
		if (load_relaxed(&w->sw->port[i - 1].state) == PORT_USED || i == w->idle_pool)
			poll_source(w, &w->pool[i], uplink_source(u, i));
}

/* Serves everybody who has something to do, and is not too far ahead of the others. */
static inline void
poll_round(struct worker *w, struct uplink *uplink)
{
	share_round(&w->clock);
	poll_guests(w);
	if (uplink != NULL)
		poll_uplink(w, uplink);
	share_round_over(&w->clock);
}

int
worker_run(void *arg)
{
	struct worker *w = arg;
	struct vswitch *sw = w->sw;
	struct uplink *uplink = w->id == 0 ? sw->uplink : NULL;

	rte_rcu_qsbr_thread_register(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_online(sw->qsbr, w->id);
	while (!load_relaxed(&sw->stop)) {
		poll_round(w, uplink);
		if (sw->uplink != NULL)
			uplink_work(sw->uplink, w->id);
		grace_pass(sw->qsbr, w->id);
	}
	rte_rcu_qsbr_thread_offline(sw->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(sw->qsbr, w->id);
	tsan_release(w); /* workers_end() waits for this lcore by rte_eal_mp_wait_lcore() */
	return 0;
}

static unsigned int
rings_at(const struct polled *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->ring[i] != NULL;
	return n;
}

/* A worker as place.h sees it, for one more ring of a port. */
static struct seat
seat_of(const struct worker *w, uint16_t port)
{
	struct seat s = {
			.node = rte_lcore_to_socket_id(w->lcore),
			.same = rings_at(&w->polled[port]),
	};
	unsigned int i;

	for (i = 0; i < w->npoll; i++)
		if (w->poll[i] != NULL)
			s.load += rings_at(w->poll[i]);
	return s;
}

/* Has the worker poll a guest, or no longer. */
static void
poll_add(struct worker *w, struct polled *s)
{
	unsigned int i;

	for (i = 0; i < w->npoll && w->poll[i] != NULL; i++)
		;
	store_release(&w->poll[i], s);
	if (i == w->npoll)
		store_release(&w->npoll, i + 1);
}

static void
poll_remove(struct worker *w, const struct polled *s)
{
	unsigned int i;

	for (i = 0; i < w->npoll; i++)
		if (w->poll[i] == s)
			store_release(&w->poll[i], NULL);
	for (i = w->npoll; i > 0 && w->poll[i - 1] == NULL; i--)
		;
	store_release(&w->npoll, i);
}

static void
ring_add(struct worker *w, uint16_t port, struct virtqueue *vq)
{
	struct polled *s = &w->polled[port];
	unsigned int i;

	if (rings_at(s) == 0)
		poll_add(w, s);
	for (i = 0; i < s->n && s->ring[i] != NULL; i++)
		;
	store_release(&s->ring[i], vq);
	if (i == s->n)
		store_release(&s->n, i + 1);
}

static void
ring_remove(struct worker *w, uint16_t port, const struct virtqueue *vq)
{
	struct polled *s = &w->polled[port];
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->ring[i] == vq)
			store_release(&s->ring[i], NULL);
	for (i = s->n; i > 0 && s->ring[i - 1] == NULL; i--)
		;
	store_release(&s->n, i);
	if (i == 0)
		poll_remove(w, s);
}

void
worker_add_queue(struct vswitch *sw, struct virtqueue *vq)
{
	struct seat seat[WORKER_MAX];
	unsigned int i;

	for (i = 0; i < sw->nworkers; i++)
		seat[i] = seat_of(sw->worker[i], vq->source.port);
	i = place_choose(seat, sw->nworkers, place_node_of(vq->desc), place_distance);
	ring_add(sw->worker[i], vq->source.port, vq);
}

void
worker_remove_queue(struct vswitch *sw, struct virtqueue *vq)
{
	unsigned int i;

	for (i = 0; i < sw->nworkers; i++)
		ring_remove(sw->worker[i], vq->source.port, vq);
}

void
workers_quiesce(struct vswitch *sw)
{
	/* A burst takes some microseconds; this thread may share a worker's CPU. */
	const struct timespec nap = {.tv_nsec = 5000};
	uint64_t token = rte_rcu_qsbr_start(sw->qsbr);

	while (!grace_over(sw->qsbr, token))
		nanosleep(&nap, NULL);
}

static unsigned int
first_running(const struct vswitch *sw)
{
	unsigned int i;

	for (i = 0; i < sw->nworkers; i++)
		if (rte_eal_get_lcore_state(sw->worker[i]->lcore) == RUNNING)
			break;
	return i;
}

bool
workers_end(struct vswitch *sw)
{
	const struct timespec nap = {.tv_nsec = END_NAP_MS * 1000000};
	unsigned int i, looks = 0;

	store_relaxed(&sw->stop, true);
	while ((i = first_running(sw)) < sw->nworkers && looks++ < END_LOOKS)
		nanosleep(&nap, NULL);
	if (i < sw->nworkers) {
		say_error("the worker on lcore %u hangs: ended without it, and without the last "
			  "statistics; guests are cut off",
				sw->worker[i]->lcore);
		return false;
	}
	rte_eal_mp_wait_lcore();
	for (i = 0; i < sw->nworkers; i++)
		tsan_acquire(sw->worker[i]); /* that wait, which the sanitizer does not see */
	return true;
}
