/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * stdout and stderr, which perhaps nobody reads: a pipe whose reader stands still, a terminal
 * that was stopped.
 *
 * Text is put into a buffer and written by a thread of its own, one for each, so that no other thread
 * ever waits for a reader. What finds no room is not written; whoever puts it says so later.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

enum output { OUTPUT_TABLE, OUTPUT_LOG }; /* stdout, stderr */
#define OUTPUTS 2

/* Bytes that wait to be read: a table of all 256 devices, or some thousand lines. */
#define OUTPUT_ROOM (256 << 10)

/* How long a reader may stand still at the end of the process, in milliseconds. */
#define OUTPUT_PATIENCE 1000

/* Starts the threads. False: none can be had. Main lcore, once; signals are blocked by then. */
bool output_start(void);

/* Whether output_start() was called. */
bool output_started(void);

/* Has text written, all of it or nothing: false. Any thread; never waits. */
bool output_put(enum output to, const char *text, size_t len);

/* Whether all was written. Any thread. */
bool output_idle(enum output to);

/* Waits until all was written, but no longer than readers move. Main lcore, at the end. */
void output_flush(void);

#endif /* OUTPUT_H */
