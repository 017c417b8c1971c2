/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reads the configuration file again, for SIGHUP. What the file says is proposed as any other change (change.h).
 * Whoever sends a signal gets no answer: so the log says what came of it, and what can't be done now is tried again.
 *
 * main.c has the one struct, which outlives the changes. Main lcore.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>

struct changes;

struct reload {
	struct changes *changes;
	bool due;   /* the file is to be read as soon as that is possible */
	bool waits; /* it was logged why the file can't be read now */
};

/* Proposes the file as it is now, at once or when it can be, and logs what comes of it. */
void reload_file(struct reload *r);

/* Tries again what could not be done. Called once a second. */
void reload_tick(struct reload *r);

#endif /* RELOAD_H */
