/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What a case has to work with.
 *
 * A case is a function that is given the test's state, opens guests, misbehaves with one of
 * them, and says what must come of it. What holds after every case is checked behind it by
 * verdict.c: the switch lives, nobody else was stopped, the neighbours lost nothing and were not
 * kept waiting, the gauge's pair had its fair share of the workers, the drops are those that
 * were announced, and everything was given back.
 *
 * To add a case: a function, and a line in the table at the end of its file.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/drops.h"
#include "frames.h"
#include "gauge.h"
#include "neighbours.h"
#include "nic.h"
#include "subject.h"

#define PARTIES_MAX 48

struct hostile;

/* A guest of a case. Its rings may be handled by hand: see raw.h. */
struct party {
	struct hostile *h;
	struct nic nic;
	struct nic_opts opts;
	uint8_t mac[6];
	int device; /* the switch's number for it; -1: not yet known */
	bool open;
	uint64_t drop[DROP_MAX]; /* of its frames: what the counters must show */
};

/* Modes: bits of the options that were given. A set of modes: bits by their numbers. */
#define MERGEABLE 1
#define PACKED 2
#define OFFLOAD 4
#define ALL (MERGEABLE | PACKED | OFFLOAD)
#define RATES 8 /* the switch offers everything, guests take what they like */
#define UPLINK 16
#define IN(mode) (1u << (mode))

struct hcase {
	const char *name;
	const char *says; /* what is done, and what must come of it */
	void (*run)(struct hostile *h, const void *arg);
	const void *arg;
	unsigned modes; /* where it is run; 0: wherever its group is */
};

struct hostile {
	struct subject subject;
	struct neighbours *neighbours;
	struct workers workers;
	struct gauge *gauge;
	int gauge_device[2]; /* the switch's numbers for its guests */
	struct party party[PARTIES_MAX];
	bool soak;         /* see soak.h: fairness is not judged */
	uint64_t features; /* that all guests take: --mergeable, --packed */
	const char *self;  /* this program, to be run as a child */
	uint32_t macs;     /* given out so far */
	uint64_t seq;      /* of the frames of cases */

	/* Of the case that runs. */
	size_t log_mark; /* where the log stood when it began */
	unsigned stops;  /* lines "device N stopped" that it announced */
	bool drops_any;  /* it cannot say how many frames are dropped */
	unsigned open;   /* guests */
	unsigned greedy; /* the most that were open at a time; the case may say another number */
	bool failed;
	char unfair[160]; /* what the honest ones did not get; empty: they got all */

	struct holdings base;      /* what the switch held with the neighbours alone */
	int64_t stopped;           /* devices stopped up to the case before */
	double usual[WORKERS_MAX]; /* rates of the gauge with nobody else at work: the best */
};

/* Notes a failure; the case goes on. Always false. */
__attribute__((format(printf, 2, 3))) bool fail(struct hostile *h, const char *format, ...);

#define EXPECT(h, cond, ...) ((cond) ? true : fail((h), __VA_ARGS__))
/* The same, and the case ends if it does not hold. */
#define MUST(h, cond, ...) \
	do { \
		if (!EXPECT(h, cond, __VA_ARGS__)) \
			return; \
	} while (0)

/* A line for whoever reads the output. */
__attribute__((format(printf, 1, 2))) void remark(const char *format, ...);

/* Announces drops of frames that `from` sent: its counters must show so many, and no others. */
void expect_drops(struct party *from, enum drop_reason reason, uint64_t n);

/* Waits for the one line that says that the device was stopped, and why. */
bool expect_stop(struct hostile *h, struct party *p, enum fault_reason reason);

/* How many lines "device N stopped" the case has brought about for that device so far. */
unsigned stops_of(struct hostile *h, const struct party *p);

/*
 * Whether a guest has made a write to it block so far. For a minute from then on the switch signals
 * in a way that never does (guest/signal.h).
 */
bool is_careful(struct hostile *h);

/*
 * The party made a write block, which is interrupted, and the device stopped for it; but not if the
 * switch was careful, which it may have been if is_careful() was true before.
 */
void expect_blocked(struct hostile *h, const struct party *p, bool careful);

/* main.c: the subject with its honest guests, and the end of it. */
struct options;

/* Starts the switch and the honest guests, which it knows then. False: a failure. */
bool set_up(struct hostile *h);

/* The end of its log, since the case began. */
void show_log(struct hostile *h);

void tear_down(struct hostile *h, bool keep);

/* The case that the options want next, of the group on. *group: 0 at first. NULL: no more. */
const struct hcase *next_case(const struct options *o, unsigned *group, const struct hcase *after);

/* SIGTERM, and what must hold of the last table. */
bool the_end(struct hostile *h);

/*
 * Before the case: begins it. After it: says whether all is as it must be. Fairness is left to
 * the caller, who may run the case again.
 */
void case_begin(struct hostile *h);

void case_verdict(struct hostile *h);

/*
 * The rate that the gauge has while nobody else is at work, which must be about what it was
 * before. False: it is not, which is noted.
 */
bool rate_alone(struct hostile *h, struct gauge_rate *r);

/* The part of it that `rate` is: of the sender that keeps less. At most 1. */
double rate_kept(const struct hostile *h, const double *rate, const struct gauge_rate *alone);

/* Notes if the part is less than is fair beside h->greedy guests. */
void expect_share(struct hostile *h, double kept);

/* Guests. */

/* Options for a small guest: two regions that touch, few buffers. */
struct nic_opts party_opts(void);

/* Connects; opts NULL: party_opts(). NULL, and a failure, if it cannot. */
struct party *party_open(struct hostile *h, const struct nic_opts *opts);

/* The same, at the port for User Mode Linux. */
struct party *party_open_uml(struct hostile *h, const struct nic_opts *opts);

/* Only the socket, for cases that speak by themselves. */
int party_socket(struct hostile *h);

/* Hangs up. */
void party_close(struct party *p);

void party_close_all(struct hostile *h);

/* Sends a good frame and waits until it is there, whole; also learns the device's number. */
bool party_says(struct party *from, struct party *to);

/* The same to and fro, n times. */
bool party_talk(struct party *a, struct party *b, unsigned n);

/* Sets both rings up anew, at these positions. False: the connection was closed. */
bool party_set_base(struct party *p, uint32_t base);

/* Both ways, and waits until the switch knows both addresses. */
bool party_meet(struct party *a, struct party *b);

/* Two guests that have met: `*bad`, and one to talk to. */
bool party_pair(struct hostile *h, struct party **bad, struct party **peer);

/* Waits until all that it sent was taken; 0, or a negative errno. */
int party_drain(struct party *p);

/* Nothing has come for it. */
bool party_hears_nothing(struct party *p);

/* The next frame must be that one. */
bool party_hears(struct party *p, const uint8_t *frame, size_t len);

/* As a driver that resets its device: stop, empty rings, start; then it must work again. */
bool party_restart(struct party *p);

bool party_recovers(struct party *p, struct party *peer);

#endif
