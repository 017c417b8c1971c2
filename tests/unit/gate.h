/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A connection that the gate knows (guest/fd_gate.h). The test plays both of its ends: pair[0] is librte_vhost's,
 * pair[1] the front end's.
 */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>

#define GATE_SENT 3 /* most files with a message */

/* Makes a connection that the gate knows. */
void gate_connect(int pair[2]);

/* For a test that has such a connection as its state: its `int pair[2]`. */
int gate_setup(void **state);
int gate_teardown(void **state);

/* Closes both ends. */
void gate_hang_up(const int pair[2]);

/* The connection ends, as librte_vhost sees it, and the front end connects again. */
void gate_connect_again(int pair[2]);

/* Sends a message with files from the front end, which keeps none of its own. Returns false if it can't. */
bool gate_send_all(int front_end, const int *file, unsigned int n, int flags);

/* Sends a message with one file. */
bool gate_send(int front_end, int file);

/* Sends a pipe, which is rejected. */
bool gate_send_pipe(int front_end);

/* Sends memory, which is accepted. */
bool gate_send_memory(int front_end);

/*
 * Returns what librte_vhost receives, which loses it; -2: the connection is over. `others`: the file of another guest
 * whose number librte_vhost still has in that memory, or -1.
 */
int gate_received(int sock, int others);

/* Waits until at most so many files are open: a thread of its own may close what is on its way. */
bool gate_all_closed(unsigned int open);

#endif /* GATE_H */
