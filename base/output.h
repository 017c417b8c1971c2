/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Writes to stdout and stderr, which perhaps nobody reads: a pipe whose reader hangs, or a terminal
 * that was stopped.
 *
 * Text is put into a buffer and written by a thread of its own, one for each, so that no other
 * thread ever waits for a reader. Text that finds no room is not written; its caller reports that
 * later.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

enum output { OUTPUT_TABLE, OUTPUT_LOG }; /* stdout, stderr */
#define OUTPUTS 2

/* Bytes that wait to be read: a table of all 256 devices, or some thousand lines. */
#define OUTPUT_ROOM (256 << 10)

/*
 * How long the end of the process waits for a reader that reads nothing, in milliseconds. A reader that lives
 * reads much sooner, and an end that takes a second is not noticed: service managers wait for many.
 */
#define OUTPUT_PATIENCE 1000

/* Starts the threads. Returns false if that fails. Main lcore, once, after signals were blocked. */
bool output_start(void);

/* Returns true if output_start() was called. */
bool output_started(void);

/*
 * Puts text into the buffer. Returns false, and takes none of it, if there is no room for all of it. Any
 * thread; never waits.
 */
bool output_put(enum output to, const char *text, size_t len);

/* Returns true if everything was written. Any thread. */
bool output_idle(enum output to);

/*
 * Waits until everything was written, or until a reader reads nothing for OUTPUT_PATIENCE. Main
 * lcore, at the end.
 */
void output_flush(void);

#endif /* OUTPUT_H */
