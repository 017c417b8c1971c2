/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Threads for what may take long: see apart.h for the contract. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/atomic.h"
#include "guest/apart.h"

/*
 * So many threads close front ends' files at a time, at most. Each may wait as long as the owner of its
 * file likes, so without a bound front ends could use up memory.
 */
#define CLOSERS_MAX 64

static unsigned int closers; /* number of threads that close files; atomic */

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

static void *
apart_closer(void *arg)
{
	close((int)(intptr_t)arg);
	sub_relaxed(&closers, 1);
	return NULL;
}

bool
apart_close(int fd)
{
	if (add_relaxed(&closers, 1) <= CLOSERS_MAX &&
			apart_run(apart_closer, (void *)(intptr_t)fd))
		return true;
	sub_relaxed(&closers, 1);
	return false;
}
