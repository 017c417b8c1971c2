/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A file system that does not answer. See withheld.h. */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "withheld.h"

struct withheld {
	struct fuse *fuse;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool holding;
	bool waited_for; /* while it holds, somebody waits */
	size_t size;
	int fd;
	char dir[32];
};

/* libfuse passes the data that fuse_new() was given to its operations. */
static void
wait_for_leave(void)
{
	struct withheld *w = fuse_get_context()->private_data;

	pthread_mutex_lock(&w->lock);
	w->waited_for |= w->holding;
	pthread_cond_broadcast(&w->change);
	while (w->holding)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static void *
begin(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	config->attr_timeout = 0; /* the kernel asks again each time */
	config->nullpath_ok = 0;
	return fuse_get_context()->private_data;
}

static int
attributes(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	struct withheld *w = fuse_get_context()->private_data;
	bool root = strcmp(path, "/") == 0;

	(void)fi;
	wait_for_leave();
	if (!root && strcmp(path, "/memory") != 0)
		return -ENOENT;
	memset(st, 0, sizeof(*st));
	st->st_mode = root ? S_IFDIR | 0755 : S_IFREG | 0666;
	st->st_nlink = root ? 2 : 1;
	st->st_size = root ? 0 : (off_t)w->size;
	return 0;
}

static int
statistics(const char *path, struct statvfs *st)
{
	(void)path;
	wait_for_leave();
	memset(st, 0, sizeof(*st));
	return 0;
}

static int
open_file(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	return 0;
}

static int
read_file(const char *path, char *to, size_t len, off_t at, struct fuse_file_info *fi)
{
	(void)path;
	(void)at;
	(void)fi;
	wait_for_leave();
	memset(to, 0, len);
	return (int)len;
}

/* close(2) waits for this answer. */
static int
flush_file(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	(void)fi;
	wait_for_leave();
	return 0;
}

static const struct fuse_operations operations = {
		.init = begin,
		.getattr = attributes,
		.statfs = statistics,
		.open = open_file,
		.read = read_file,
		.flush = flush_file,
};

static void *
serve(void *arg)
{
	struct withheld *w = arg;

	fuse_loop(w->fuse);
	return NULL;
}

static bool
mount_it(struct withheld *w)
{
	char name[] = "hostile";
	char *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	w->fuse = fuse_new(&args, &operations, sizeof(operations), w);
	fuse_opt_free_args(&args);
	if (w->fuse == NULL || fuse_mount(w->fuse, w->dir) != 0)
		return false;
	if (pthread_create(&w->thread, NULL, serve, w) == 0)
		return true;
	fuse_unmount(w->fuse);
	return false;
}

struct withheld *
withheld_open(size_t size, int *fd)
{
	struct withheld *w = calloc(1, sizeof(*w));
	char path[64];

	if (w == NULL)
		return NULL;
	w->size = size;
	w->fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	snprintf(w->dir, sizeof(w->dir), "/tmp/withheld.XXXXXX");
	if (mkdtemp(w->dir) == NULL || !mount_it(w)) {
		rmdir(w->dir);
		free(w);
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/memory", w->dir);
	w->fd = *fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd >= 0)
		return w;
	withheld_close(w);
	return NULL;
}

void
withheld_hold(struct withheld *w)
{
	pthread_mutex_lock(&w->lock);
	w->holding = true;
	pthread_mutex_unlock(&w->lock);
}

void
withheld_wait(struct withheld *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->waited_for)
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void
withheld_release(struct withheld *w)
{
	pthread_mutex_lock(&w->lock);
	w->holding = false;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

void
withheld_close(struct withheld *w)
{
	if (w == NULL)
		return;
	withheld_release(w);
	if (w->fd >= 0)
		close(w->fd);
	fuse_exit(w->fuse);
	fuse_unmount(w->fuse);
	pthread_join(w->thread, NULL);
	fuse_destroy(w->fuse);
	rmdir(w->dir);
	free(w);
}
