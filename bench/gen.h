/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The load generator's guests. A guest is one vhost-user connection with one or several queue
 * pairs, whose frames are written once, before the measurement. During the measurement it only
 * gives buffers back to the switch (pump.h). It reads nothing that the switch writes, except what
 * tells that a buffer came back. With `read` it also reads all frames that arrive.
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
#include "pump.h"

#define GEN_GUESTS_MAX 256
#define GEN_SOCKETS_MAX 256
#define GEN_PAIRS_MAX (VU_RINGS_MAX / 2)
#define ETHER_FCS 4 /* in the sizes that people name, not in memory */
#define ETHER_MIN 60
#define HDR_LEN 12    /* of virtio-net; VERSION_1 is always negotiated */
#define SEQ_OFFSET 42 /* after the Ethernet, IPv4 and UDP headers */

enum gen_flows {
	GEN_ONE,   /* guest 0 to guest 1; others idle */
	GEN_BOTH,  /* guest 0 and guest 1 to each other; others idle */
	GEN_PAIRS, /* 0 to 1, 2 to 3, ... */
	GEN_RING,  /* everyone to the next one */
	GEN_INTO,  /* everyone else to guest 0 */
	/* With one guest, and an uplink: */
	GEN_OUT, /* guest 0 sends to the uplink, which discards all */
	GEN_IN,  /* the uplink brings frames for guest 0 without end */
};

enum gen_frames {
	GEN_UDP,  /* nothing left to do */
	GEN_CSUM, /* TCP, the checksum is left to the switch */
	GEN_TSO,  /* the same, and segmentation */
};

struct gen_conf {
	const char *mode;
	const char *socket[GEN_SOCKETS_MAX];
	unsigned n_sockets; /* guest i uses socket i % n_sockets */
	bool listen;        /* the switch is the client */
	unsigned n_guests;
	unsigned n_pairs; /* queue pairs of each */
	enum gen_flows flows;
	enum gen_frames frames;
	bool take;     /* receivers take partial checksums and uncut frames */
	unsigned size; /* of frames, FCS included; GEN_TSO: of each segment */
	enum pump_kind kind;
	unsigned ring;
	unsigned buffers;  /* a ring, shared by its slots; 0: one a slot */
	unsigned window;   /* frames that a sender has in flight at most; 0: the ring */
	unsigned headroom; /* where in a cache line the header begins */
	unsigned gap_ns;   /* from one look at the rings to the next */
	unsigned quiet_ms; /* verify: how long nothing more may arrive at the end */
	double seconds;
	double warmup;
	double rate; /* frames/s; latency, paced and verify */
	uint64_t features;
	unsigned min_len; /* verify: in memory, no FCS */
	unsigned max_len;
	bool layouts; /* verify: vary how frames are cut into descriptors */
	int cpu;      /* to run on; -1: any */
	int peer_cpu; /* ceiling: the stand-in for a switch */
	bool copy;    /* ceiling: one memcpy a frame */
	bool read;    /* receivers read every byte of each frame */
	unsigned seed;
};

/* Returns true if the other end of the flow is the uplink, not a guest. */
static inline bool
gen_uplink(const struct gen_conf *c)
{
	return c->flows >= GEN_OUT;
}

struct gen_guest {
	struct pump *tx, *rx; /* one a queue pair */
	bool sends;
	unsigned peer; /* to whom */
	uint8_t mac[6];
	struct vu_dev dev;
};

struct gen {
	const struct gen_conf *conf;
	struct gen_guest *guest;
	unsigned n;
	unsigned n_flows;
	struct pump *pump; /* the pumps of all guests */
	unsigned n_pumps;
	struct pump **busy; /* those that take part: idle guests cost the generator nothing */
	unsigned n_busy;
	bool huge;    /* all guest memory on huge pages */
	double hz;    /* of gen_now() */
	uint64_t sum; /* of all bytes that were read */
};

/* Connects all guests, teaches the switch their addresses, writes the frames. 0 or negative errno. */
int gen_open(struct gen *gen, const struct gen_conf *conf);

/* The same without a switch: guests with memory and rings, and nobody at the other end. */
int gen_open_unconnected(struct gen *gen, const struct gen_conf *conf);

void gen_close(struct gen *gen);

/* Teaches the switch the guests' addresses. Returns 0 once each flow's frames arrive where they belong. */
int gen_teach(struct gen *gen);

/* Waits until all that was posted has been taken, and nothing arrives any more. */
void gen_settle(struct gen *gen);

/* Gives the number of frames that all guests together have sent and received. */
void gen_totals(const struct gen *gen, uint64_t *sent, uint64_t *received);

/* Returns the value that a share of `part` (0 to 1) of n > 0 values are below. Sorts the values. */
double gen_quantile(double *values, unsigned n, double part);

/*
 * Returns how many entries of used rings are wrong, of all guests that took part: an entry names the
 * buffer of its slot, and in a receive ring the length of a frame. Call it once all rings went round.
 */
unsigned gen_bad_used(const struct gen *gen);

/*
 * Writes the address of guest number `g` into mac[6]. With an uplink, number 1 is the host beyond it.
 */
void gen_mac(unsigned g, uint8_t *mac);

/* Writes a frame of `len` bytes (no FCS): UDP over IPv4 without a UDP checksum, with a payload of zeroes. */
void gen_frame(uint8_t *frame, unsigned len, const uint8_t *dst, const uint8_t *src);

/* Gives the address that a guest's frames go to. */
void gen_destination(const struct gen *gen, const struct gen_guest *g, uint8_t *mac);

/* Writes the frames of the measurement into every buffer of every sender. */
void gen_make_frames(struct gen *gen);

/* Bytes in memory of a frame as it is sent, and as it has to arrive. */
unsigned gen_sent_len(const struct gen_conf *conf);

unsigned gen_received_len(const struct gen_conf *conf);

/* How many frames have to arrive for one that was sent. */
unsigned gen_arrivals(const struct gen_conf *conf);

struct gen_look {
	unsigned at;  /* frames that were checked */
	unsigned bad; /* the wrong ones among them */
};

/* Checks the frames in the receivers' buffers, if each buffer was written to since the measurement began. */
struct gen_look gen_look_at_frames(const struct gen *gen);

/* Pins the calling thread to a CPU; -1: leaves it as it is. 0 or negative errno. */
int gen_pin(int cpu);

/* Gives this thread, and those that it makes, precedence over other load on their CPUs. Needs root. */
void gen_prefer(void);

/* Measures how many ticks gen_now() has in a second. */
double gen_calibrate(void);

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

/* The modes. Each prints one line of key=value on stdout. 0, or a negative errno if nothing could be measured. */
int mode_throughput(struct gen *gen);

int mode_latency(struct gen *gen);

int mode_paced(struct gen *gen);

int mode_bursts(struct gen *gen);

int mode_verify(const struct gen_conf *conf);

int mode_ceiling(const struct gen_conf *conf);

#endif
