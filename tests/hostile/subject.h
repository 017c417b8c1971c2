/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The subject of the tests: a vhost-switch process, started here, watched from outside.
 *
 * Its log and its statistics go to files in a directory of its own; what this module knows of
 * it comes from them, from its telemetry socket and from /proc. The process dies with this
 * program, however that ends.
 * Main thread only.
 */
#ifndef HOSTILE_SUBJECT_H
#define HOSTILE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame/drops.h"

/* Waiting for anything ends then: far above what it takes on a busy machine. */
#define PATIENCE_MS 30000

struct subject {
	const char *program;
	unsigned workers;
	const char *lcores;     /* for EAL; NULL: as fits the workers */
	const char *idle_sleep; /* --idle-sleep; NULL: its workers never sleep */
	const char *tap;        /* a tap of that name is its uplink, untagged; NULL: none is */
	bool offload;           /* it offers checksums and segmentation */
	bool mergeable;         /* it offers mergeable buffers */
	bool plain;             /* it may use no vectors of its own */
	bool patient;           /* frames wait for room as long as can be set */
	bool uplink;            /* it has one, see wire.h */
	pid_t pid;              /* 0: not running */
	int status;             /* of waitpid, once it has ended */
	char dir[64];
	char log_path[96], table_path[96];
	char honest_socket[96]; /* for the neighbours */
	char socket[96];        /* for the guests of the cases */
	char uml_socket[96];    /* for those of them that are User Mode Linux */
	char *log;              /* all of it, as far as it was read */
	size_t log_len;
	int telemetry; /* connected socket; -1: not yet */
};

/* What the statistics say of a port, or add up to over all of them. */
struct totals {
	uint64_t received, delivered, dropped, sent, flooded;
	uint64_t drop[DROP_MAX];
};

/* Descriptors, threads and mapped guest memory of the process. */
struct holdings {
	unsigned fds, threads, regions;
	unsigned sockets;     /* of the descriptors */
	unsigned maps;        /* regions of any memory */
	uint64_t resident_kb; /* hugepages too */
	uint64_t huge_kb;
};

/* False: it did not come up; its log is in *s then. */
bool subject_start(struct subject *s);

/* Whether it still runs. */
bool subject_alive(struct subject *s);

/* Reads on in the log. */
void subject_read_log(struct subject *s);

/* How often `text` stands in the log from `from` on. */
unsigned subject_log_count(struct subject *s, size_t from, const char *text);

/* Waits for `text` in the log behind `from`; NULL after `timeout_ms`, or when it died. */
const char *subject_log_wait(struct subject *s, size_t from, const char *text, int timeout_ms);

/*
 * The device that has this address by the last line of the log after `from` that tells of it:
 * "VHOST_DATA: (N) MAC_ADDRESS ...". Waits for one; -1: none came.
 */
int subject_device(struct subject *s, size_t from, const uint8_t *mac);

/* Opens the telemetry socket, which stays open: each opening costs the switch a thread. */
bool subject_telemetry(struct subject *s);

/* The counters of a device at this moment. */
bool subject_counters(struct subject *s, int device, struct totals *t);

/*
 * Waits until the counters say that so many frames were received, and delivered or dropped; for a
 * device that has just sent the last of them. They are in *t in any case.
 */
bool subject_counted(struct subject *s, int device, uint64_t received, struct totals *t);

/* How many devices were stopped so far; -1: no answer. */
int64_t subject_stopped(struct subject *s);

/* Free buffers of the uplink's pool; -1: no answer. */
int64_t subject_buffers_free(struct subject *s);

/* The last statistics table. For a process that has ended. */
bool subject_last_table(struct subject *s, struct totals *t);

/* Why a table contradicts itself, NULL if it does not. */
const char *subject_totals_wrong(const struct totals *t);

bool subject_holdings(const struct subject *s, struct holdings *hold);

/* Waits until it has no more than so many descriptors open. */
bool subject_wait_fds(const struct subject *s, unsigned fds, int timeout_ms);

/* SIGTERM and the end of it. True: status 0 within the time; s->status tells. */
bool subject_stop(struct subject *s, int timeout_ms);

/* Ends it in any case, and removes its files unless `keep`. */
void subject_end(struct subject *s, bool keep);

/* A name of drops.h. */
const char *drop_text(enum drop_reason reason);

const char *fault_text(enum fault_reason reason);

#endif
