/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A file system of this program's own, with one file, that stops answering when it is told to:
 * whoever then asks for the file's attributes, reads it, or closes it waits.
 * Main thread only; a thread of the file system's own answers.
 */
#ifndef HOSTILE_WITHHELD_H
#define HOSTILE_WITHHELD_H

struct withheld;

/* Mounts it and opens its file of `size` bytes: *fd. NULL: it can't be mounted. */
struct withheld *withheld_open(size_t size, int *fd);

/* No more answers from here on. This program must not touch the file itself either. */
void withheld_hold(struct withheld *w);

/* Answers all, closes the file, unmounts. NULL is fine. */
void withheld_close(struct withheld *w);

#endif
