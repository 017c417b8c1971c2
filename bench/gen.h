/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load generator's guests. A guest is one vhost-user connection whose rings and frames are
 * written once, before the measurement: descriptor i of each ring holds buffer i, and slot i
 * of the avail ring names descriptor i. From then on a guest's whole work is to see a used
 * index move and to move the avail index after it. Nothing that the switch writes, but for
 * the used indices, is read; nothing that it reads, but for the avail indices, is written.
 *
 * That supposes a switch that uses buffers in the order in which they were made available, as
 * all of those measured here do. Whether this one did is looked up in the used rings once the
 * measurement is over (gen_bad_used).
 *
 * All guests belong to the one thread of the generator.
 */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "../tests/driver/device.h"

#define GEN_GUESTS_MAX	256
#define GEN_SOCKETS_MAX	256
#define ETHER_FCS	4	/* in the sizes that people name, not in memory */
#define ETHER_MIN	60
#define SEQ_OFFSET	42	/* behind Ethernet, IPv4 and UDP headers */

enum gen_flows {
	GEN_ONE,	/* guest 0 to guest 1; others idle */
	GEN_BOTH,	/* guest 0 and guest 1 to each other; others idle */
	GEN_PAIRS,	/* 0 to 1, 2 to 3, ... */
	GEN_RING,	/* everyone to the next one */
	/* One guest, whose switch has an uplink that ... */
	GEN_OUT,	/* ... swallows what guest 0 sends */
	GEN_IN,		/* ... brings frames for guest 0 without end */
	GEN_LOOP,	/* ... brings back what guest 0 sends */
};

struct gen_conf {
	const char *mode;
	const char *socket[GEN_SOCKETS_MAX];
	unsigned n_sockets;	/* guest i uses socket i % n_sockets */
	bool listen;		/* the switch is the client */
	unsigned n_guests;
	enum gen_flows flows;
	unsigned size;		/* of frames, FCS included */
	unsigned ring;
	unsigned window;	/* frames that a sender has in flight at most; 0: the ring */
	unsigned headroom;	/* where in a cache line the header begins */
	unsigned gap_ns;	/* from one look at the rings to the next */
	double seconds;
	double warmup;
	double rate;		/* frames/s; latency and verify */
	uint64_t features;
	unsigned min_len;	/* verify: in memory, no FCS */
	unsigned max_len;
	bool layouts;		/* verify: vary how frames are cut into descriptors */
	int cpu;		/* to run on; -1: any */
	int peer_cpu;		/* ceiling: the stand-in for a switch */
	bool copy;		/* ceiling: one memcpy a frame */
	unsigned seed;
};

/* Whether the other end of the flow is the uplink, not a guest. */
static inline bool
gen_uplink(const struct gen_conf *c)
{
	return c->flows >= GEN_OUT;
}

struct guest {
	/* What the fast loops use, together. */
	struct vr_used *tx_used, *rx_used;
	struct vr_avail *tx_avail, *rx_avail;
	uint16_t tx_seen, rx_seen;	/* used index, as last looked at */
	uint16_t size;
	bool sends;
	uint64_t sent;			/* taken by the switch */
	uint64_t received;

	unsigned peer;			/* to whom it sends */
	uint8_t mac[6];
	uint8_t *tx_buf, *rx_buf;
	uint32_t stride;
	struct vring *tx, *rx;
	struct vu_dev dev;
};

struct gen {
	const struct gen_conf *conf;
	struct guest *guest;
	unsigned n;
	unsigned n_flows;
	bool huge;		/* all guest memory on huge pages */
	double hz;		/* of gen_now() */
};

/* Connect all guests, teach the switch their addresses, set the frames up. 0 or negative errno. */
int
gen_open(struct gen *gen, const struct gen_conf *conf);

/* Guests with memory and rings, but nobody at the other end. */
int
gen_open_unconnected(struct gen *gen, const struct gen_conf *conf);

void
gen_close(struct gen *gen);

/* Waits until all that was posted has been taken, and nothing arrives any more. */
void
gen_settle(struct gen *gen);

/*
 * How many entries of the used rings of guests that took part are not what they must be: the
 * buffer that belongs there, and on arrival the length of a frame. For rings that went round.
 */
unsigned
gen_bad_used(const struct gen *gen);

/*
 * Writes guest `g`'s address, by its number, into mac[6]. With an uplink, number 1 is the host
 * behind it, or with GEN_LOOP a second address of guest 0.
 */
void
gen_mac(unsigned g, uint8_t *mac);

/* A frame of `len` bytes (no FCS): UDP over IPv4, checksums right, zero payload. */
void
gen_frame(uint8_t *frame, unsigned len, const uint8_t *dst, const uint8_t *src);

/* Pins the calling thread; -1: no. 0 or negative errno. */
int
gen_pin(int cpu);

/* Ticks a second of gen_now(), measured. */
double
gen_calibrate(void);

static inline uint64_t
gen_now(void)
{
#ifdef __x86_64__
	return __rdtsc();
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
#endif
}

static inline void
gen_pause(void)
{
#ifdef __x86_64__
	_mm_pause();
#endif
}

static inline uint8_t *
gen_tx_buf(const struct guest *g, uint16_t idx)
{
	return g->tx_buf + (size_t)(idx & (g->size - 1)) * g->stride;
}

static inline uint8_t *
gen_rx_buf(const struct guest *g, uint16_t idx)
{
	return g->rx_buf + (size_t)(idx & (g->size - 1)) * g->stride;
}

static inline uint16_t
gen_load(const uint16_t *idx)
{
	return __atomic_load_n(idx, __ATOMIC_ACQUIRE);
}

static inline void
gen_store(uint16_t *idx, uint16_t value)
{
	__atomic_store_n(idx, value, __ATOMIC_RELEASE);
}

/* Frames that arrived since the last look; their buffers are posted again. */
static inline unsigned
gen_poll_rx(struct guest *g)
{
	uint16_t used = gen_load(&g->rx_used->idx);
	uint16_t n = (uint16_t)(used - g->rx_seen);

	if (n != 0) {
		g->rx_seen = used;
		g->received += n;
		gen_store(&g->rx_avail->idx, (uint16_t)(used + g->size));
	}
	return n;
}

/* Frames that were taken since the last look. */
static inline unsigned
gen_poll_tx(struct guest *g)
{
	uint16_t used = gen_load(&g->tx_used->idx);
	uint16_t n = (uint16_t)(used - g->tx_seen);

	if (n != 0) {
		g->tx_seen = used;
		g->sent += n;
	}
	return n;
}

/* The modes. Each prints one line of key=value on stdout; 0 when it could be measured. */
int
mode_throughput(struct gen *gen);

int
mode_latency(struct gen *gen);

int
mode_verify(const struct gen_conf *conf);

int
mode_ceiling(const struct gen_conf *conf);

#endif
