/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Offers frames again that wait in a source's park (park.h), oldest first, until they find room or are too late.
 *
 * All that it works on belongs to the lane and its worker, except sinks (sink.h).
 */
#ifndef RETRY_H
#define RETRY_H

struct lane;
struct port_count;
struct source;

/*
 * Offers waiting frames of a source again, if that is due; their cost is added to the lane's burst. Returns how many
 * frames may be fetched then: as many as could be parked, or 0 if the visit has cost enough.
 */
unsigned int retry_poll(struct lane *l, struct source *s);

/*
 * Drops the parked frames of a source that is being stopped: counts them in `count` (the source
 * port's) and gives them back. Called while no worker uses the source.
 */
void retry_release(struct source *s, struct port_count *count);

#endif /* RETRY_H */
