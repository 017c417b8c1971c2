/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What a case has to work with.
 *
 * A case is a function that is given the test's state. It opens guests, misbehaves with one of
 * them, and says what must come of it. After each case verdict.c checks what must always hold: the
 * switch lives, nobody else was stopped, the neighbours lost nothing and were not kept waiting, the
 * gauge's pair had its fair share of the workers, the drops are those that were announced, and
 * everything was given back.
 *
 * To add a case: a function, and a line in the table at the end of its file.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame/drops.h"
#include "guest/fault_reason.h"
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
	uint64_t drop[DROP_MAX]; /* drops of its frames that the counters must show */
};

/* A mode is the options that were given, as bits. A set of modes has the bit of each mode's number. */
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
	struct cpu_time cpu_time;
	struct gauge *gauge;
	int gauge_device[2]; /* the switch's numbers for its guests */
	struct party party[PARTIES_MAX];
	bool soak;         /* see soak.h: fairness is not judged */
	uint64_t features; /* that all guests take: --mergeable, --packed */
	const char *self;  /* this program, to be run as a child */
	uint32_t macs;     /* given out so far */
	uint64_t seq;      /* of the frames of cases */

	/* Of the case that runs. */
	size_t log_mark;  /* where the log stood when it began */
	unsigned stops;   /* lines "device N stopped" that it announced */
	bool drops_any;   /* it cannot say how many frames are dropped */
	bool cleared;     /* its guests have hugepages cleared without end */
	bool slow_memory; /* a visit to its guests may last long, once */
	unsigned open;    /* guests */
	unsigned greedy; /* the most guests that were open at a time, unless the case says another number */
	bool failed;
	bool unjudged;    /* rates and delays are printed, and fail no case */
	char unfair[160]; /* what the honest guests did not get; empty if they got all */

	struct holdings base; /* what the switch held when the neighbours alone were connected */
	int64_t stopped;      /* devices that were stopped before this case */
	double usual[CPU_TIME_WORKERS]; /* the best rates of the gauge while nobody else was at work */
};

/* Notes a failure; the case goes on. Returns false, always. */
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

/* Such a line for when something went wrong: if the machine stood still, and perhaps the switch with it. */
void tell_stood(const struct hostile *h);

/* Announces drops of frames that `from` sent: its counters must show exactly so many. */
void expect_drops(struct party *from, enum drop_reason reason, uint64_t n);

/* Waits for the one line that says that the device was stopped, and why. */
bool expect_stop(struct hostile *h, struct party *p, enum fault_reason reason);

/* Returns how many lines "device N stopped" the case has caused for that device so far. */
unsigned stops_of(struct hostile *h, const struct party *p);

/*
 * Returns true if a guest has made one of the switch's writes block. For a minute from then on the
 * switch signals in a way that never blocks (guest/signal.h).
 */
bool is_careful(struct hostile *h);

/*
 * The party made a write block: it must be interrupted, and the device stopped. Exception: a switch
 * that was careful did not block; it may have been if is_careful() was true before.
 */
void expect_blocked(struct hostile *h, const struct party *p, bool careful);

/* The following are in main.c: the subject with its honest guests, and the end of it. */
struct options;

/* Starts the switch and the honest guests, and waits until it knows them. Returns false after a failure. */
bool set_up(struct hostile *h);

/* Prints the end of the log since the case began. */
void show_log(struct hostile *h);

void tear_down(struct hostile *h, bool keep);

/* Returns the next case that the options want, from this group on (*group is 0 at first); NULL at the end. */
const struct hcase *next_case(const struct options *o, unsigned *group, const struct hcase *after);

/* Sends SIGTERM, and checks what must hold in the last table. */
bool the_end(struct hostile *h);

/*
 * case_begin() is called before a case. case_verdict() is called after it and notes what is not as
 * it must be; it leaves fairness to the caller, who may run the case again.
 */
void case_begin(struct hostile *h);

void case_verdict(struct hostile *h);

/*
 * Takes the rate that the gauge has while nobody else is at work. It must be about what it was
 * before; if not, that is noted, and false returned.
 */
bool rate_alone(struct hostile *h, struct gauge_rate *r);

/* Returns `rate` as a part of `alone`, for the sender that keeps less. At most 1. */
double rate_kept(const struct hostile *h, const double *rate, const struct gauge_rate *alone);

/* Notes a failure if the part is less than is fair beside h->greedy guests. */
void expect_share(struct hostile *h, double kept);

/* Guests. */

/* Options for a small guest: two regions that touch, few buffers. */
struct nic_opts party_opts(void);

/* Connects a guest; opts NULL means party_opts(). Returns NULL, and notes a failure, if it cannot. */
struct party *party_open(struct hostile *h, const struct nic_opts *opts);

/* The same, at the port for User Mode Linux. */
struct party *party_open_uml(struct hostile *h, const struct nic_opts *opts);

/* Connects a socket and no more, for cases that speak the protocol themselves. */
int party_socket(struct hostile *h);

/*
 * A guest connects and hangs up, `times` over, with `n` frames of `len` bytes under way in each direction, by
 * all queue pairs in turn. Its peer stays.
 */
void party_deaths(struct hostile *h, const struct nic_opts *opts, unsigned times, unsigned n,
		size_t len);

/* Hangs up. */
void party_close(struct party *p);

void party_close_all(struct hostile *h);

/* Sends a good frame and waits until it has arrived whole. Also learns the number of the sender's device. */
bool party_says(struct party *from, struct party *to);

/* The same in both directions, n times. */
bool party_talk(struct party *a, struct party *b, unsigned n);

/* Sets both rings up again, at these positions. Returns false if the connection was closed. */
bool party_set_base(struct party *p, uint32_t base);

/* Sends both ways, and waits until the switch knows both addresses. */
bool party_meet(struct party *a, struct party *b);

/*
 * Has two guests come, meet and go, and expects that they have met before `most_ms` milliseconds. Returns false if they
 * have not at all.
 */
bool party_newcomers(struct hostile *h, int64_t most_ms);

/* Opens two guests that have met: `*bad`, and one to talk to. */
bool party_pair(struct hostile *h, struct party **bad, struct party **peer);

/* Waits until all that it sent was taken. Returns 0, or a negative errno. */
int party_drain(struct party *p);

/* Nothing may have arrived at it. */
bool party_hears_nothing(struct party *p);

/* The next frame that arrives must be this one. */
bool party_hears(struct party *p, const uint8_t *frame, size_t len);

/*
 * Does what a driver does that resets its device: stop, empty rings, start. party_recovers() also
 * checks that it works again.
 */
bool party_restart(struct party *p);

bool party_recovers(struct party *p, struct party *peer);

#endif
