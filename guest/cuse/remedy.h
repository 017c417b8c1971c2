/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the log says of a client of the cuse back end that can't be served, with the remedy. Pure functions, any
 * thread; the texts are constant, and the same error has the same one.
 */
#ifndef GUEST_CUSE_REMEDY_H
#define GUEST_CUSE_REMEDY_H

/* For an error of caller_table(). */
const char *remedy_for_memory(int error);

/* For an error of caller_fd(). NULL: it is the client's own mistake, of which the log says nothing. */
const char *remedy_for_event(int error);

#endif /* GUEST_CUSE_REMEDY_H */
