/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A switch that serves sockets: the real librte_vhost, with its own thread, and all of guest/
 * above it. Two honest guests are connected for good; the socket at live_path() is for the
 * hostile one. The target plays worker and main lcore.
 *
 * librte_vhost's thread runs beside the target. So that an input does the same each time, and
 * so that the worker has the grace periods that it would have, the target polls after
 * live_settle() alone: then that thread waits for messages.
 */
#ifndef FUZZ_LIVE_H
#define FUZZ_LIVE_H

#include "fuzz.h"

/* Makes EAL, the switch, and both honest guests. */
void live_setup(void);

const char *live_path(void);

/* Begins an input. */
void live_begin(void);

/*
 * Returns when all that was sent by `sock` is read, and carried out, by librte_vhost's thread.
 * -1: all that it has read from anybody.
 */
void live_settle(int sock);

/*
 * A worker visits every transmit ring that there is. Then the honest guests send each other a
 * frame, which must arrive as it was, and one to everybody. After live_settle().
 */
void live_poll(void);

/*
 * Called when the input is over, and what it connected is closed. Returns when that is known; then
 * as many file descriptors are open as when it began, and no slot is in use.
 */
void live_end(void);

/* Seconds after which a wait is a failure: as a busy machine may need. */
#define LIVE_PATIENCE 50

#endif /* FUZZ_LIVE_H */
