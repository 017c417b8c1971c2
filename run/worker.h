/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A worker lcore: what it polls, and its private working memory.
 *
 * `poll` and the rings of `polled` are published by librte_vhost's thread
 * (worker_add_queue, worker_remove_queue). All else belongs to the worker itself.
 * Exception: anybody may read its counters (stats.h).
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/fdb.h"
#include "frame/frame.h"
#include "switch/port.h"
#include "switch/share.h"
#include "run/stats.h"

struct source;
struct virtqueue;
struct vswitch;

/* Why frames were not offered to a destination, or not to the end. */
enum delay {
	DELAY_NONE,
	DELAY_BEHIND,  /* others wait, which they must not overtake */
	DELAY_PUT_OFF, /* the visit has cost enough, or another worker fills the ring */
};

/*
 * Where the frames of a burst are to go: one entry a destination, found in
 * constant time by port (slot[port], valid if it points back to the port).
 */
struct dests {
	unsigned int n;
	uint64_t flood;      /* frames that go to many ports, */
	unsigned int nflood; /* ... to so many at most */
	uint16_t port[PORT_MAX];
	uint16_t slot[PORT_MAX];
	uint64_t want[PORT_MAX]; /* frames for it */
	struct outcome outcome[PORT_MAX];
	uint8_t delay[PORT_MAX]; /* enum delay: of frames that it did not take */
};

/* The transmit rings of a guest that a worker polls: one share, however many they are. */
struct polled {
	struct share share;
	uint16_t next;                           /* slot of ring[] to look at next */
	uint16_t n;                              /* slots, up to the last one in use */
	struct virtqueue *ring[QUEUE_PAIRS_MAX]; /* NULL: free */
} __rte_cache_aligned;

struct worker {
	struct vswitch *sw;
	unsigned int id; /* 0 polls the uplink too */
	unsigned int lcore;
	uint64_t retry_delay;   /* TSC cycles between offers */
	uint64_t retry_time;    /* TSC cycles that a frame waits at most */
	uint64_t put_off_time;  /* ... longer, for a destination that was put off */
	unsigned int idle_pool; /* source of the uplink to poll though nobody is there */
	struct share_clock clock;
	struct share pool[PORT_MAX];     /* of the uplink's sources */
	unsigned int npoll;              /* slots of poll[], up to the last one in use */
	struct polled *poll[GUEST_MAX];  /* guests with rings; NULL: none */
	struct polled polled[GUEST_MAX]; /* by port */
	struct dests dests;
	struct burst burst;
	struct fdb_hints hints;
	struct port_count count[PORT_MAX];
};

/* Makes a worker for an lcore. NULL without memory. Main lcore, at start. */
struct worker *worker_create(struct vswitch *sw, unsigned int id, unsigned int lcore);

void worker_destroy(struct worker *w);

/* The lcore's loop: until sw->stop. */
int worker_run(void *worker);

/*
 * Has all workers leave their loops, and waits for them. False: one hangs, which was said on
 * stderr; it may use anything still, so nothing can be freed. Main lcore.
 */
bool workers_end(struct vswitch *sw);

/*
 * Gives a transmit ring to a worker, chosen as place.h says, or takes it away again.
 * Taken away, the ring may still be in use until a grace period is over.
 * librte_vhost's thread.
 */
void worker_add_queue(struct vswitch *sw, struct virtqueue *vq);
void worker_remove_queue(struct vswitch *sw, struct virtqueue *vq);

/*
 * Waits until every worker has been between two bursts, so that nothing that
 * was withdrawn before is in use any more. Yields the CPU while it waits.
 * Not for workers.
 */
void workers_quiesce(struct vswitch *sw);

/* Adds frames to those that a destination is to get. */
static inline void
dests_add(struct dests *d, uint16_t port, uint64_t frames)
{
	unsigned int at = d->slot[port];

	if (at >= d->n || d->port[at] != port) {
		at = d->n++;
		d->slot[port] = at;
		d->port[at] = port;
		d->want[at] = 0;
	}
	d->want[at] |= frames;
}

#endif /* WORKER_H */
