/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Checks file descriptors that are received: see fd_gate.h for the contract.
 *
 * recvmsg(2) and read(2) (fd_hook.c) have no argument of ours: hence this file's variables. The lock is held only
 * briefly, as the main lcore takes it, too; nothing that may wait is called under it. The last close of memory frees
 * its pages, which takes 140 ms for each GiB.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "guest/apart.h"
#include "guest/fds.h"
#include "guest/fd_gate.h"
#include "guest/fd_identity.h"
#include "guest/fd_inbox.h"
#include "guest/fd_name.h"
#include "base/log.h"

/*
 * File descriptors that a connection may have at a time: 32 rings with three each, 8 regions and a
 * log are 105, and messages may replace them all at once.
 */
#define HELD_MAX 256

/*
 * Rejected file descriptors after which the connection is ended: more than a mistaken front end
 * sends.
 */
#define REFUSED_MAX 64

/*
 * Longest time that librte_vhost takes to destroy a device, in seconds; and the bytes of memory for each of
 * which it may take one more. The last close frees a GiB in 140 ms, so that is a hundred times as long as needed:
 * what is closed too early here would be closed once more by librte_vhost, when another file has its number.
 */
#define DESTROYED_AFTER 2
#define DESTROYED_BYTES (64 << 20)

struct held {
	int fd;
	struct fd_identity is;
};

/* What is known of a connection, until librte_vhost has destroyed its device. */
struct gate {
	struct gate *next;
	int sock;        /* librte_vhost's; -1: the connection is over */
	int own;         /* copy of `sock`, whose number may belong to another file soon */
	uint64_t cookie; /* the kernel's number of the socket, which no other one ever has */
	time_t since;    /* time at which it began, or ended */
	pthread_t who;   /* thread that ended it */
	time_t wait;     /* seconds for which that thread may destroy its device */
	bool passed;     /* a message was received */
	bool uml;
	bool told; /* it was logged that file descriptors were rejected */
	bool full; /* it sent too much: nothing more is received */
	unsigned int refused;
	unsigned int n;
	struct held held[HELD_MAX];
	char path[SOCKET_PATH_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards everything below */
static struct gate *gates;
static unsigned int makers; /* threads between fd_gate_making() and fd_gate_made() */

static time_t
fd_gate_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

static struct gate *
fd_gate_find(int sock)
{
	struct gate *c;

	for (c = gates; c != NULL; c = c->next)
		if (c->sock == sock)
			break;
	return c;
}

/*
 * Returns the kernel's number of a socket, which no other one ever has; 0 for what is no socket. Never waits. An
 * emulator of one process (qemu-user) does not pass the question on. The inode's number has to do there: no other
 * socket gets it while this one is open, and its gate keeps it open.
 */
static uint64_t
fd_gate_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0)
		return cookie;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/*
 * Returns the connection whose socket has a number. librte_vhost closes a socket before it tells us, and the number may
 * be another file's meanwhile: then there is none.
 */
static struct gate *
fd_gate_find_open(int sock)
{
	struct gate *c = fd_gate_find(sock);

	return c != NULL && c->cookie == fd_gate_cookie(sock) ? c : NULL;
}

/* Returns true for files that can't make us wait. */
static bool
fd_gate_is_harmless(const struct gate *c, int fd)
{
	return fds_is_memory(fd) || fds_is_eventfd(fd) || (c->uml && fds_is_socket(fd));
}

/* Returns true if it is still open, and the same file. */
static bool
fd_gate_is_same(const struct gate *c, const struct held *h)
{
	/* Another file may have the number by now, perhaps one that must not be asked. */
	return fd_gate_is_harmless(c, h->fd) && fd_identity_same(h->fd, &h->is);
}

/* Forgets what librte_vhost has closed. */
static void
fd_gate_prune(struct gate *c)
{
	unsigned int i, n = 0;

	for (i = 0; i < c->n; i++)
		if (fd_gate_is_same(c, &c->held[i]))
			c->held[n++] = c->held[i];
	c->n = n;
}

/*
 * Forgets the file that had a number, of any connection: another file has that number now, so the
 * old one was closed. The number of an eventfd is used again, too, so a new one may look like the
 * old one.
 */
static void
fd_gate_forget(int fd)
{
	struct gate *c;
	unsigned int i;

	for (c = gates; c != NULL; c = c->next) {
		for (i = 0; i < c->n && c->held[i].fd != fd; i++)
			;
		if (i < c->n)
			c->held[i] = c->held[--c->n];
	}
}

/* Ends a connection that sent too much. What was not received yet is closed in the end. */
static void
fd_gate_end_full(struct gate *c)
{
	c->full = true;
	shutdown(c->own, SHUT_RDWR);
}

/* Notes a file descriptor. Returns false if that is not possible: then nobody may have it. */
static bool
fd_gate_hold(struct gate *c, int fd)
{
	fd_gate_forget(fd);
	if (c->full)
		return false;
	if (c->n == HELD_MAX)
		fd_gate_prune(c);
	if (c->n == HELD_MAX) {
		say(WARNING,
				"socket %s: a front end sent more than %d file descriptors, and is "
				"disconnected\n",
				c->path, HELD_MAX);
		fd_gate_end_full(c);
		return false;
	}
	if (!fd_identity_of(fd, &c->held[c->n].is))
		return false;
	c->held[c->n++].fd = fd;
	return true;
}

void
fd_gate_making(void)
{
	pthread_mutex_lock(&lock);
	makers++;
	pthread_mutex_unlock(&lock);
}

void
fd_gate_made(const int *fd, unsigned int n)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < n; i++)
		if (fd[i] >= 0)
			fd_gate_forget(fd[i]);
	makers--;
	pthread_mutex_unlock(&lock);
}

static void
fd_gate_refuse(struct gate *c, int fd)
{
	char name[FD_NAME_MAX];

	if (!c->told)
		say(WARNING,
				"socket %s: a front end sent a file descriptor of %s, which is not used, as its "
				"owner could make the switch wait: memory must be memfd, tmpfs or hugetlbfs "
				"(memory-backend-memfd,share=on of QEMU), what signals a ring an eventfd "
				"(with uml=yes of --port a socket)\n",
				c->path, fd_name(fd, name));
	c->told = true;
	if (!apart_close_later(fd, c->path) || ++c->refused == REFUSED_MAX)
		fd_gate_end_full(c);
}

/*
 * Returns a file that can't be mapped for writing, and is no eventfd. Returns -1 if no file
 * descriptor is left.
 */
static int
fd_gate_nothing(void)
{
	int fd = memfd_create("refused", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
	return fd;
}

/*
 * Checks one file descriptor that was received. Returns the one that librte_vhost gets instead, or -1,
 * which it treats as none.
 */
static int
fd_gate_admit(struct gate *c, int fd)
{
	if (!fd_gate_is_harmless(c, fd)) {
		fd_gate_refuse(c, fd);
		fd = fd_gate_nothing();
	}
	if (fd < 0 || fd_gate_hold(c, fd))
		return fd;
	if (!apart_close(fd, c->path))
		close(fd); /* it is harmless, so closing it does not wait for anybody */
	return -1;
}

/* Closes files from `first` on, whose numbers were noted for others until librte_vhost closed those. */
static void
fd_gate_drop(const struct fd_inbox *in, unsigned int first, const char *of)
{
	unsigned int i;

	for (i = first; i < in->n; i++)
		fd_gate_forget(in->fd[i]);
	fd_inbox_drop(in, first, of);
}

/* Checks the files of a message for which librte_vhost has room, and closes the others. */
static void
fd_gate_admit_all(struct gate *c, struct msghdr *m, struct fd_inbox *in)
{
	unsigned int room = fd_inbox_room(m), i;

	for (i = 0; i < in->n && i < room; i++)
		in->fd[i] = fd_gate_admit(c, in->fd[i]);
	fd_gate_drop(in, fd_inbox_give(in, m, room), c->path);
}

/* Closes what remains of a list of gates. The caller does not hold the lock, as this may take long. */
static void *
fd_gate_clear(void *list)
{
	struct gate *c, *next;
	unsigned int i;

	for (c = list; c != NULL; c = next) {
		next = c->next;
		for (i = 0; i < c->n; i++)
			close(c->held[i].fd);
		free(c);
	}
	return NULL;
}

/*
 * Returns the gates whose connections are over, for fd_gate_clear(): their file descriptors that are still open were
 * lost, so their numbers can't become another file's before that. Called by the thread that ended one:
 * librte_vhost has destroyed its device before the thread gets here again.
 */
static struct gate *
fd_gate_sweep(bool own)
{
	struct gate **at = &gates, *c, *over = NULL;

	/* A number may now belong to a maker's file: fd_gate_tick() tries again. */
	if (makers != 0)
		return NULL;
	while ((c = *at) != NULL) {
		if (c->sock >= 0 ||
				(own ? !pthread_equal(c->who, pthread_self())
				     : fd_gate_now() - c->since < c->wait)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		fd_gate_prune(c);
		c->next = over;
		over = c;
	}
	return over;
}

bool
fd_gate_open(int sock, const char *path, bool uml)
{
	struct gate *c = calloc(1, sizeof(*c)), *over;

	if (c == NULL)
		return false;
	c->cookie = fd_gate_cookie(sock);
	c->own = c->cookie != 0 ? fcntl(sock, F_DUPFD_CLOEXEC, 0) : -1;
	if (c->own < 0) {
		free(c);
		return false;
	}
	fd_inbox_begin(sock);
	c->sock = sock;
	c->uml = uml;
	c->since = fd_gate_now();
	snprintf(c->path, sizeof(c->path), "%s", path);
	pthread_mutex_lock(&lock);
	over = fd_gate_sweep(true);
	c->next = gates;
	gates = c;
	pthread_mutex_unlock(&lock);
	fd_gate_clear(over);
	return true;
}

bool
fd_gate_passed(int sock)
{
	struct gate *c;
	bool passed;

	pthread_mutex_lock(&lock);
	c = fd_gate_find(sock);
	passed = c != NULL && c->passed;
	pthread_mutex_unlock(&lock);
	return passed;
}

/* Returns how long librte_vhost may take to destroy the device of a connection. */
static time_t
fd_gate_destroyed_after(const struct gate *c)
{
	uint64_t blocks = 0;
	struct stat st;
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (fds_is_memory(c->held[i].fd) && fstat(c->held[i].fd, &st) == 0)
			blocks += st.st_blocks;
	return DESTROYED_AFTER + blocks / (DESTROYED_BYTES / S_BLKSIZE);
}

int
fd_gate_close(int sock, char *path)
{
	struct gate *c;
	int own = -1;

	pthread_mutex_lock(&lock);
	c = sock >= 0 ? fd_gate_find(sock) : NULL;
	if (c != NULL) {
		own = c->own;
		memcpy(path, c->path, sizeof(c->path));
		c->sock = c->own = -1;
		c->since = fd_gate_now();
		c->who = pthread_self();
		c->wait = fd_gate_destroyed_after(c);
	}
	pthread_mutex_unlock(&lock);
	return own;
}

void
fd_gate_tick(void)
{
	struct gate *c, *over;

	pthread_mutex_lock(&lock);
	over = fd_gate_sweep(false);
	for (c = gates; c != NULL; c = c->next) {
		if (c->sock < 0 || c->passed || fd_gate_now() - c->since < FD_GATE_PATIENCE)
			continue;
		say(INFO, "socket %s: a connection said nothing for %d seconds, and is ended\n",
				c->path, FD_GATE_PATIENCE);
		c->passed = true; /* once */
		shutdown(c->own, SHUT_RDWR);
	}
	pthread_mutex_unlock(&lock);
	/* Closing may take long, and the main lcore has to serve others meanwhile. */
	if (over != NULL && !apart_run(fd_gate_clear, over))
		fd_gate_clear(over);
}

/* Receives from a connection, which ends with what was too much. Never waits, as the lock is held. */
static ssize_t
fd_gate_receive_next(const struct gate *c, struct msghdr *m, int flags, struct fd_inbox *in)
{
	in->n = 0;
	m->msg_flags = 0;
	return c->full ? 0 : fd_inbox_receive(c->own, m, flags | MSG_DONTWAIT, in);
}

bool
fd_gate_receive(int sock, struct msghdr *m, int flags, ssize_t *n)
{
	struct gate *c, *over = NULL;
	struct fd_inbox in;

	pthread_mutex_lock(&lock);
	c = fd_gate_find_open(sock);
	/* The file descriptors are noted before anybody closes one by a number that they may have now. */
	if (c != NULL && (*n = fd_gate_receive_next(c, m, flags, &in)) >= 0) {
		c->passed |= *n > 0;
		fd_gate_admit_all(c, m, &in);
		over = fd_gate_sweep(true);
	}
	pthread_mutex_unlock(&lock);
	fd_gate_clear(over);
	return c != NULL;
}

bool
fd_gate_read(int sock, void *to, size_t len, int flags, ssize_t *n)
{
	struct iovec iov = {.iov_base = to, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct fd_inbox in = {0};
	struct gate *c;

	pthread_mutex_lock(&lock);
	c = fd_gate_find_open(sock);
	if (c != NULL)
		*n = fd_gate_receive_next(c, &m, flags, &in);
	if (in.n != 0) {
		say(WARNING,
				"socket %s: a front end sent file descriptors in the middle of a "
				"message, and is disconnected\n",
				c->path);
		fd_gate_drop(&in, 0, c->path);
		fd_gate_end_full(c);
		*n = 0;
	}
	pthread_mutex_unlock(&lock);
	return c != NULL;
}
