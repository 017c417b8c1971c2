/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The subject of the tests: a vhost-switch process that is started here and watched from outside.
 *
 * Its log and its statistics go to files in a directory of its own. What this module knows of it
 * comes from them, from its telemetry socket and from /proc. The process dies with this program,
 * however that ends. Main thread only.
 */
#ifndef HOSTILE_SUBJECT_H
#define HOSTILE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame/drops.h"
#include "guest/fault_reason.h"

/* Every wait ends after this time, which is far more than anything takes on a busy machine. */
#define PATIENCE_MS 30000

struct subject {
	const char *program;
	unsigned workers;
	const char *lcores;     /* for EAL; NULL: as fits the workers */
	const char *idle_sleep; /* --idle-sleep; NULL: its workers never sleep */
	const char *aging;      /* --aging; NULL: the default */
	const char *tap;        /* a tap of that name is its untagged uplink; NULL: it has none */
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
	char uml_socket[96];    /* for guests of the cases that play User Mode Linux */
	char *log;              /* what has been read of it */
	size_t log_len;
	size_t log_room;
	int telemetry; /* connected socket; -1: not yet */
};

/* Counters of a port, or their sums over all ports. */
struct totals {
	uint64_t received, delivered, dropped, sent, flooded;
	uint64_t drop[DROP_MAX];
};

/* What the process holds: file descriptors, threads, memory. */
struct holdings {
	unsigned fds, threads, regions;
	unsigned sockets;     /* those of the file descriptors that are sockets */
	unsigned maps;        /* regions of any memory */
	unsigned file_maps;   /* those of the maps that are of files, memfds included */
	bool sanitized;       /* it has AddressSanitizer, which makes mappings of its own */
	uint64_t resident_kb; /* hugepages too */
	uint64_t huge_kb;
};

/*
 * Returns how much of the process's memory is AddressSanitizer's shadow, in KiB. That has a byte for each eight that
 * were ever in use at any address, and keeps it: it grows while the process maps memory at new addresses.
 */
uint64_t subject_shadow_kb(const struct subject *s);

/* Starts it. Returns false if it did not come up; s->log tells why. */
bool subject_start(struct subject *s);

/* Returns true if it still runs. */
bool subject_alive(struct subject *s);

/* Reads what is new in the log. */
void subject_read_log(struct subject *s);

/* Returns how often the log has `text`, from `from` on. */
unsigned subject_log_count(struct subject *s, size_t from, const char *text);

/* Waits for `text` in the log after `from`. Returns NULL after `timeout_ms`, or if the process died. */
const char *subject_log_wait(struct subject *s, size_t from, const char *text, int timeout_ms);

/*
 * Returns the device that has this address, by the last such line of the log after `from`:
 * "VHOST_DATA: (N) MAC_ADDRESS ...". Waits for a line; -1 if none came.
 */
int subject_device(struct subject *s, size_t from, const uint8_t *mac);

/* Opens the telemetry socket, which stays open, as each connection costs the switch a thread. */
bool subject_telemetry(struct subject *s);

#define SUBJECT_UPLINK (-1) /* in place of a device */

/* The counters of a device, or of the uplink, at this moment. */
bool subject_counters(struct subject *s, int device, struct totals *t);

/*
 * Waits until the counters say that so many frames were received, and delivered or dropped. For a
 * device that has just sent the last of them. In any case *t has the counters.
 */
bool subject_counted(struct subject *s, int device, uint64_t received, struct totals *t);

/* How many devices were stopped so far; -1: no answer. */
int64_t subject_stopped(struct subject *s);

/* Free buffers of the uplink's pool; -1: no answer. */
int64_t subject_buffers_free(struct subject *s);

/* Reads the last statistics table of a process that has ended. */
bool subject_last_table(struct subject *s, struct totals *t);

/* Returns why a table contradicts itself; NULL if it does not. */
const char *subject_totals_wrong(const struct totals *t);

bool subject_holdings(const struct subject *s, struct holdings *hold);

/* Waits until it has no more than so many file descriptors open. */
bool subject_wait_fds(const struct subject *s, unsigned fds, int timeout_ms);

/* Sends SIGTERM and waits. Returns true if it ended with status 0 in time; s->status has its status. */
bool subject_stop(struct subject *s, int timeout_ms);

/* Ends it in any case, and removes its files unless `keep`. */
void subject_end(struct subject *s, bool keep);

/* Names of drops.h and fault_reason.h. */
const char *drop_text(enum drop_reason reason);
const char *fault_text(enum fault_reason reason);

#endif
