/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A lane: what one worker forwards with. Its working memory, the sources that it polls, and
 * where it finds what all lanes share.
 *
 * The lists of sources are published by librte_vhost's thread (lanes.h). All else belongs to
 * the worker of the lane alone. Exception: anybody may read its counters (count.h).
 */
#ifndef LANE_H
#define LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/burst.h"
#include "switch/count.h"
#include "switch/fdb.h"
#include "switch/load.h"
#include "switch/port.h"
#include "switch/share.h"

struct conf;
struct learn_queue;
struct source;
struct wake;

/* Why frames were not, or not all, offered to a destination. */
enum delay {
	DELAY_NONE,
	DELAY_ORDER,   /* frames wait for it, which these must not overtake */
	DELAY_PUT_OFF, /* the visit has cost enough, or another worker fills the ring */
};

/* A burst's frames in parts, by something that frames of a part have in common. */
struct parted {
	unsigned int n;
	struct {
		uint16_t of;
		frame_set frames;
	} part[BURST_MAX];
};

/*
 * Where the frames of a burst are to go: one entry a destination, found in
 * constant time by port (slot[port], valid if it points back to the port).
 */
struct dests {
	unsigned int n;
	frame_set flood;     /* frames that are flooded */
	unsigned int nflood; /* most ports that a flooded frame goes to */
	uint16_t port[PORT_MAX];
	uint16_t slot[PORT_MAX];
	frame_set want[PORT_MAX]; /* frames for the destination */
	struct outcome outcome[PORT_MAX];
	uint8_t delay[PORT_MAX]; /* enum delay, for frames that the destination did not take */
	struct parted tags; /* flooded frames that go to all ports with their tag, by that tag */
	struct parted reflected; /* flooded frames that must not go to a port, by that port */
};

/* The sources of one port that a lane polls. They have one share together. */
struct polled {
	struct share share;
	uint16_t next;                          /* slot of source[] to look at next */
	uint16_t n;                             /* slots, up to the last one in use */
	struct source *source[QUEUE_PAIRS_MAX]; /* NULL: free */
} __rte_cache_aligned;

/* A guest has one entry, by its port; each source of the uplink has its own. */
#define POLLED_MAX (GUEST_MAX + PORT_MAX)
#define POLLED_WORDS ((POLLED_MAX + 63) / 64)

/* The objects that all lanes of a switch share. */
struct shared {
	const struct conf *conf; /* the policy; replaced as a whole, see lane_conf() */
	struct ports *ports;
	struct fdb *fdb;
	struct learn_queue *learn; /* NULL: nothing is learned (explain.h) */
};

/* What the kernel says of this thread. */
struct stall_seen {
	uint64_t faults;   /* page faults */
	uint64_t sleeps;   /* how often it slept */
	uint64_t switches; /* how often it lost its CPU to another */
};

/* What a worker knows of the time that guests' memory takes: see stall.h. */
struct stall {
	bool timed;      /* visits are timed */
	uint32_t slack;  /* cycles that work may take beyond its cost before the kernel is asked */
	bool unasked;    /* page faults that the kernel was not asked for are possible */
	bool asked;      /* `seen` was read at the last look, or later */
	uint64_t next;   /* when the next look is due */
	uint64_t until;  /* when visits are no longer timed */
	uint64_t sample; /* when the kernel may be asked about any visit that took long */
	uint64_t calm;   /* TSC from which page faults of all guests count as few */
	uint64_t worked; /* cost of the work since the last look */
	uint64_t busy;   /* busy cycles of the lane (load.h) at the last look */
	struct stall_seen seen;
	struct share *visit; /* share of the source that is visited */
	struct share *payer; /* the share that is charged; NULL for the uplink, whose memory is our own */
	uint64_t mark;       /* TSC up to which the visit's time is accounted for */
	uint32_t cost;       /* the burst's cost at `mark` */
	uint32_t owed; /* what the payer is charged when the visit ends, for pages of frames that were fetched */
	frame_set touched; /* frames of the burst that were touched as a whole */
};

struct lane {
	struct shared shared;
	unsigned int id; /* number among all lanes; 0 also polls the uplink */
	unsigned int lcore;
	struct wake *wake;     /* wakes its worker if that sleeps; NULL: it never does */
	uint64_t retry_delay;  /* TSC cycles between offers */
	uint64_t retry_time;   /* most TSC cycles that a frame waits */
	uint64_t put_off_time; /* further TSC cycles, for a destination that was put off */
	struct share_clock clock;
	struct lane_load load;
	struct stall stall;
	unsigned int npoll;              /* slots of poll[], up to the last one in use */
	struct polled *poll[POLLED_MAX]; /* entries of polled[] that have sources; NULL: none */
	struct polled polled[POLLED_MAX];
	uint64_t busy[POLLED_WORDS]; /* a bit for each entry of poll[]: it had work at the last look */
	unsigned int look_at;        /* entry of poll[] without work to look at next */
	uint32_t worked;             /* cost of the work in this round */
	uint32_t look_credit;        /* cost of work that no look was made for yet */
	struct dests dests;
	struct burst burst;
	struct fdb_hints hints;
	struct port_count count[PORT_MAX];
};

/*
 * Returns the settings, which lanes_set_conf() may replace at any time. The worker of the lane; valid
 * until it is between two bursts.
 */
static inline const struct conf *
lane_conf(const struct lane *l)
{
	return load_acquire(&l->shared.conf);
}

/* Makes a lane for a worker on an lcore. Returns NULL without memory. Main lcore, at start. */
struct lane *lane_create(const struct shared *shared, unsigned int id, unsigned int lcore);

/*
 * Measures what depends on this machine's kernel. A lane that was not measured must not be used for anything that
 * takes time. Main lcore, at start.
 */
void lane_measure(struct lane *l);

void lane_destroy(struct lane *l);

/* Adds frames to those for a destination. */
static inline void
dests_add(struct dests *d, uint16_t port, frame_set frames)
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

/* Removes a destination, which gets nothing. */
static inline void
dests_drop(struct dests *d, unsigned int at)
{
	d->n--;
	d->port[at] = d->port[d->n];
	d->want[at] = d->want[d->n];
	d->slot[d->port[at]] = at;
}

#endif /* LANE_H */
