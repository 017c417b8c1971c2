/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A file system of this program's own, with one file. It stops answering when it is told to:
 * whoever then asks for the file's attributes, reads it or closes it has to wait. Main thread only;
 * the file system has a thread of its own.
 */
#ifndef HOSTILE_WITHHELD_H
#define HOSTILE_WITHHELD_H

struct withheld;

/* Mounts it and opens its file of `size` bytes as *fd. Returns NULL if it can't be mounted. */
struct withheld *withheld_open(size_t size, int *fd);

/* Stops answering. From here on this program must not touch the file either. */
void withheld_hold(struct withheld *w);

/* Waits until somebody waits for it: another thread of this program may touch the file for that. */
void withheld_wait(struct withheld *w);

/* Answers all requests again. */
void withheld_release(struct withheld *w);

/* Answers all requests, closes the file and unmounts. NULL is fine. */
void withheld_close(struct withheld *w);

#endif
