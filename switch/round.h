/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Serves the sources of a lane, one after the other, each as far as its share allows (share.h). */
#ifndef ROUND_H
#define ROUND_H

struct lane;

/* Visits each source of the lane that has something to do. Called by the lane's worker. */
void lane_round(struct lane *l);

#endif /* ROUND_H */
