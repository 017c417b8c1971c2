/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Threads for what may take long: see apart.h for the contract. No lock is held while a file is closed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "guest/apart.h"

/*
 * So many threads close files at a time, and so many of them those of one socket, at most. Each may wait as
 * long as the owner of its file likes, so without a bound front ends could use up memory; and one socket's must
 * not keep those of others open.
 */
#define CLOSERS_MAX 64
#define CLOSERS_OF_ONE 16

/*
 * So many files stay open for one socket, and those of one more message (253). A hundred sockets of such front ends
 * take half of what the service may have open (LimitNOFILE=). By connections that are refused it may become twice
 * as many before nobody is accepted there.
 */
#define UNCLOSED_MAX 64
#define UNCLOSED_FULL (2 * UNCLOSED_MAX)

/* A file that is being closed, or waits for a thread that does it. */
struct unclosed {
	struct unclosed *next;
	int fd;
	char of[SOCKET_PATH_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards everything below */
static struct unclosed *closing;                         /* each has a thread */
static struct unclosed *waiting;

bool
apart_run(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ok = pthread_create(&thread, &attr, run, arg) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

/* Counts the files of a list: those of `of`, or (NULL) all. */
static unsigned int
apart_count(const struct unclosed *u, const char *of)
{
	unsigned int n = 0;

	for (; u != NULL; u = u->next)
		n += of == NULL || strcmp(u->of, of) == 0;
	return n;
}

static void
apart_add(struct unclosed **list, struct unclosed *u)
{
	u->next = *list;
	*list = u;
}

static void
apart_remove(struct unclosed **list, const struct unclosed *u)
{
	while (*list != u)
		list = &(*list)->next;
	*list = u->next;
}

static bool
apart_may_close(const char *of)
{
	return apart_count(closing, NULL) < CLOSERS_MAX &&
			apart_count(closing, of) < CLOSERS_OF_ONE;
}

/* Ends with a file that was closed. Returns the next one for the same thread, or NULL. */
static struct unclosed *
apart_next(struct unclosed *done)
{
	struct unclosed *u;

	pthread_mutex_lock(&lock);
	apart_remove(&closing, done);
	for (u = waiting; u != NULL && !apart_may_close(u->of); u = u->next)
		;
	if (u != NULL) {
		apart_remove(&waiting, u);
		apart_add(&closing, u);
	}
	pthread_mutex_unlock(&lock);
	free(done);
	return u;
}

static void *
apart_closer(void *arg)
{
	struct unclosed *u = arg;

	while (u != NULL) {
		close(u->fd);
		u = apart_next(u);
	}
	return NULL;
}

/* Begins to close a file. Returns false if it has to wait. The caller holds the lock. */
static bool
apart_begin(struct unclosed *u)
{
	if (!apart_may_close(u->of))
		return false;
	apart_add(&closing, u);
	if (apart_run(apart_closer, u))
		return true;
	apart_remove(&closing, u);
	return false;
}

/* Closes a file, or (if it may) lets it wait. Returns false if it is not being closed. */
static bool
apart_close_of(int fd, const char *of, bool may_wait)
{
	struct unclosed *u = calloc(1, sizeof(*u));
	bool ok;

	if (u == NULL)
		return false;
	u->fd = fd;
	snprintf(u->of, sizeof(u->of), "%s", of);
	pthread_mutex_lock(&lock);
	ok = apart_begin(u);
	if (!ok && may_wait)
		apart_add(&waiting, u);
	pthread_mutex_unlock(&lock);
	if (!ok && !may_wait)
		free(u);
	return ok;
}

bool
apart_close(int fd, const char *of)
{
	return apart_close_of(fd, of, false);
}

bool
apart_close_later(int fd, const char *of)
{
	return apart_close_of(fd, of, true);
}

static bool
apart_has_fewer(const char *of, unsigned int than)
{
	bool ok;

	pthread_mutex_lock(&lock);
	ok = apart_count(waiting, of) < than;
	pthread_mutex_unlock(&lock);
	return ok;
}

bool
apart_accepts(const char *of)
{
	return apart_has_fewer(of, UNCLOSED_MAX);
}

bool
apart_is_full(const char *of)
{
	return !apart_has_fewer(of, UNCLOSED_FULL);
}
