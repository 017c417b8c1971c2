/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A process that plays a client of vhost-net: a copy of the test (by fork) that just waits. It has
 * the memory and the file descriptors that the test had by then, at the same addresses and numbers.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct client {
	pid_t pid;
	pid_t thread; /* one of its threads that is not the first */
	int hold;     /* the process ends when this is closed */
};

struct client client_start(void);

void client_end(struct client *c);

/* `len` bytes of a new memfd, all of whose bytes are `fill`, mapped shared; at `at` unless NULL. */
void *client_memory(void *at, size_t len, uint8_t fill);

/* Threads of this process. */
unsigned int client_threads(void);

/* File descriptors that it has open: to be compared with a number from earlier, as it counts one of its own. */
unsigned int client_open_files(void);

#endif /* CLIENT_H */
