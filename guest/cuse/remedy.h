/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the log says of a client of the cuse back end that can't be served, with the remedy. Pure functions, any
 * thread; the texts are constant, and the same error has the same one.
 */
#ifndef GUEST_CUSE_REMEDY_H
#define GUEST_CUSE_REMEDY_H

/* Returns the remedy for an error of caller_table(). */
const char *remedy_for_memory(int error);

/* Returns the remedy for an error of caller_fd(); NULL: the client made a mistake of its own, which is not logged. */
const char *remedy_for_event(int error);

#endif /* GUEST_CUSE_REMEDY_H */
