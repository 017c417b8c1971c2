/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Serves the sources of a lane, one after the other, each as far as its share allows (share.h). */
#ifndef ROUND_H
#define ROUND_H

struct lane;

/*
 * Visits the sources of the lane that have something to do: those that had in the last round, and those of
 * the others that are found. A round without work looks at all; one with work looks at some of them, in
 * turn. Called by the lane's worker.
 */
void lane_round(struct lane *l);

#endif /* ROUND_H */
