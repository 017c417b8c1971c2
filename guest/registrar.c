/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The thread for sockets: see registrar.h for the contract. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/wake.h"
#include "guest/registrar.h"
#include "guest/vhost_user.h"

/* Jobs, the first one first. */
struct queue {
	struct job *first;
	struct job **end; /* where the next one goes */
};

struct registrar {
	struct guests *all;
	struct wake *wake;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t given; /* signalled when there is a job, or `stop` is set */
	struct queue asked, done;
	bool stop;
};

static void
queue_add(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
}

static struct job *
queue_take(struct queue *q)
{
	struct job *j = q->first;

	if (j == NULL)
		return NULL;
	q->first = j->next;
	if (q->first == NULL)
		q->end = &q->first;
	return j;
}

/* Returns the next job, or NULL at the end. */
static struct job *
registrar_next(struct registrar *r)
{
	struct job *j;

	pthread_mutex_lock(&r->lock);
	while ((j = queue_take(&r->asked)) == NULL && !r->stop)
		pthread_cond_wait(&r->given, &r->lock);
	pthread_mutex_unlock(&r->lock);
	return j;
}

static void *
registrar_run(void *arg)
{
	struct registrar *r = arg;
	struct job *j;

	while ((j = registrar_next(r)) != NULL) {
		say_error_into(j->error, sizeof(j->error));
		if (j->serve)
			j->ok = vhost_user_add(&j->port, j->index);
		else
			vhost_user_remove(r->all, j->index, j->port.socket);
		say_error_into(NULL, 0);
		pthread_mutex_lock(&r->lock);
		queue_add(&r->done, j);
		pthread_mutex_unlock(&r->lock);
		wake_up(r->wake);
	}
	return NULL;
}

struct registrar *
registrar_start(struct guests *all, struct wake *wake)
{
	struct registrar *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return NULL;
	r->all = all;
	r->wake = wake;
	r->asked.end = &r->asked.first;
	r->done.end = &r->done.first;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->given, NULL);
	rc = pthread_create(&r->thread, NULL, registrar_run, r);
	if (rc == 0)
		return r;
	free(r);
	errno = rc;
	return NULL;
}

void
registrar_stop(struct registrar *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->given);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->given);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void
registrar_give(struct registrar *r, struct job *j)
{
	pthread_mutex_lock(&r->lock);
	queue_add(&r->asked, j);
	pthread_cond_signal(&r->given);
	pthread_mutex_unlock(&r->lock);
}

struct job *
registrar_take(struct registrar *r)
{
	struct job *j;

	pthread_mutex_lock(&r->lock);
	j = queue_take(&r->done);
	pthread_mutex_unlock(&r->lock);
	return j;
}
