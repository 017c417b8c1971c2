/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the files of hostile_opener share. Cases: see cases.h. */
#ifndef CUSE_HOSTILE_H
#define CUSE_HOSTILE_H

#include <stdint.h>

#include "cases.h"
#include "vhostnet.h"

#define REGIONS 64 /* the most that vhost-net takes */
#define PAGE 4096UL

/* A memory table with room for more regions than are allowed. */
struct table {
	struct vhost_memory head;
	struct vhost_memory_region region[REGIONS + 2];
};

/* Opens the node once more, with this process as the owner. */
int owned(const char *node);

/* Checks that `ret` is an error that a refusal may have; any other result, success included, is a bug. */
void refused(int ret, const char *what, unsigned row);

/* Maps new shared memory of so many pages. *file, unless NULL, is the file that is mapped. */
uint8_t *shared(unsigned pages, int *file);

void memory_tables(const char *node);

void many_pieces(const char *node);

#endif
