/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Serves the sources of a lane, one after the other, each as far as its share allows (share.h). The lane's worker. */
#ifndef ROUND_H
#define ROUND_H

struct lane;

/*
 * Visits the sources of the lane that have something to do. Ports that had work in the last round are always
 * looked at. Of the others a round without work looks at all, and a round with work at some, in turn.
 */
void lane_round(struct lane *l);

#endif /* ROUND_H */
