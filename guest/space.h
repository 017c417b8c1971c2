/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Bounds how much of this process's address space a guest may use: its memory, each region from the
 * beginning of its file on, as librte_vhost maps it, and the dirty log.
 *
 * Files can be sparse: all 128 TiB cost a front end nothing. So a guest may have a 64th of what
 * others have left: 1.75 TiB if there is no other, and 33 GiB if 255 others have taken all that
 * they could. This also bounds how long librte_vhost's thread is busy with one guest's dirty log.
 *
 * Called by librte_vhost's threads. With --client there are two, so a lock guards what all guests have.
 */
#ifndef GUEST_SPACE_H
#define GUEST_SPACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The part for guests of the 128 TiB that a process has on x86-64; the rest is for the switch
 * itself.
 */
#define SPACE_ALL (UINT64_C(112) << 40)
#define SPACE_SHARE 64

struct message;

/* Bytes that one guest has mapped. */
struct space {
	uint64_t memory, log;
};

/* What all guests have mapped. */
struct spaces {
	pthread_mutex_t lock;
	uint64_t taken; /* bytes */
};

/*
 * Account for a memory table, or a log, that replaces the guest's old one. The message's numbers
 * were checked. They return false if it is more than the guest's share, which is then in *share.
 */
bool space_table(struct spaces *all, struct space *s, const struct message *m, uint64_t *share);
bool space_log(struct spaces *all, struct space *s, const struct message *m, uint64_t *share);

/* Notes that a guest has nothing mapped any more. */
void space_release(struct spaces *all, struct space *s);

#endif /* GUEST_SPACE_H */
