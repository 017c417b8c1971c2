/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Buffers before stdout and stderr: see output.h for the contract. The log has no argument
 * of ours: hence this file's variables.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/output.h"

static struct buffer {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	uint64_t put, written; /* bytes since start */
	int fd;
	char text[OUTPUT_ROOM];
} buffers[OUTPUTS] = {
		[OUTPUT_TABLE] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0,
				STDOUT_FILENO, {0}},
		[OUTPUT_LOG] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0,
				STDERR_FILENO, {0}},
};
static bool started;

/* Returns how much can be written at once; waits until there is something. */
static size_t
output_next(struct buffer *b, const char **text)
{
	size_t at, n;

	pthread_mutex_lock(&b->lock);
	while (b->put == b->written)
		pthread_cond_wait(&b->filled, &b->lock);
	at = b->written % OUTPUT_ROOM;
	n = b->put - b->written;
	pthread_mutex_unlock(&b->lock);
	*text = &b->text[at];
	return n < OUTPUT_ROOM - at ? n : OUTPUT_ROOM - at;
}

/*
 * Returns true if a write may succeed later. A file may be non-blocking, which we must not change, as it is shared
 * with the process that started us; or its disk is full. Other errors mean that the reader is gone.
 */
static bool
output_may_go_on(int error)
{
	return error == EINTR || error == EAGAIN || error == ENOSPC || error == EDQUOT ||
			error == EFBIG;
}

static void *
output_write_on(void *arg)
{
	struct buffer *b = arg;
	const char *text;
	ssize_t n;
	size_t len;

	for (;;) {
		len = output_next(b, &text);
		n = write(b->fd, text, len);
		if (n < 0 && output_may_go_on(errno)) {
			nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
			continue;
		}
		pthread_mutex_lock(&b->lock);
		b->written += n < 0 ? len : (size_t)n;
		pthread_mutex_unlock(&b->lock);
	}
	return NULL; /* never */
}

bool
output_start(void)
{
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < OUTPUTS; i++)
		if (pthread_create(&thread, NULL, output_write_on, &buffers[i]) != 0 ||
				pthread_detach(thread) != 0)
			return false;
	started = true;
	return true;
}

bool
output_started(void)
{
	return started;
}

bool
output_put(enum output to, const char *text, size_t len)
{
	struct buffer *b = &buffers[to];
	size_t at, first;
	bool fits;

	pthread_mutex_lock(&b->lock);
	fits = len <= OUTPUT_ROOM - (b->put - b->written);
	if (fits) {
		at = b->put % OUTPUT_ROOM;
		first = len < OUTPUT_ROOM - at ? len : OUTPUT_ROOM - at;
		memcpy(&b->text[at], text, first);
		memcpy(b->text, text + first, len - first);
		b->put += len;
		pthread_cond_signal(&b->filled);
	}
	pthread_mutex_unlock(&b->lock);
	return fits;
}

static uint64_t
output_written(struct buffer *b, bool *all)
{
	uint64_t n;

	pthread_mutex_lock(&b->lock);
	n = b->written;
	*all = b->put == n;
	pthread_mutex_unlock(&b->lock);
	return n;
}

bool
output_idle(enum output to)
{
	bool all;

	output_written(&buffers[to], &all);
	return all;
}

void
output_flush(void)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	uint64_t before, now;
	unsigned int i, left;
	bool all = false;

	for (i = 0; i < OUTPUTS && started; i++) {
		before = output_written(&buffers[i], &all);
		for (left = OUTPUT_PATIENCE; !all && left > 0; left--) {
			nanosleep(&nap, NULL);
			now = output_written(&buffers[i], &all);
			if (now != before)
				left = OUTPUT_PATIENCE;
			before = now;
		}
	}
}
