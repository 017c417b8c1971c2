/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * This program once more, as a child that ends with it: a guest that is killed.
 * Main thread only, as the child ends with the thread that started it.
 */
#ifndef HOSTILE_CHILD_H
#define HOSTILE_CHILD_H

#include <sys/types.h>

/*
 * Starts `self` with an option of main.c and its argument; its stdout is `out`, -1: as here. Returns its number, or -1
 * and errno.
 */
pid_t child_start(const char *self, const char *option, const char *arg, int out);

#endif
