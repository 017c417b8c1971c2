/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A pest: a process that connects and misbehaves, at random and without end, until it is killed.
 * What happens to it does not matter; what happens to others beside it does.
 */
#ifndef HOSTILE_PEST_H
#define HOSTILE_PEST_H

/* The child's side: "SEED:SOCKET". Returns only if it can't begin. */
int pest_run(const char *arg);

#endif
