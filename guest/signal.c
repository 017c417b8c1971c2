/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Signals that never wait: see signal.h for the contract.
 *
 * A thread has to find its own state without an argument of ours, as it may be one of
 * librte_vhost's: hence this file's variables.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "base/atomic.h"
#include "guest/signal.h"
#include "base/log.h"

/*
 * The ring that io_setup(2) maps at the address that it returns; it is part of the kernel's ABI, as
 * libaio uses it.
 */
struct completions {
	uint32_t id, nr, head, tail, magic;
};
#define COMPLETIONS_MAGIC 0xa10a10a1

struct caller {
	pthread_t thread;
	uint32_t calls; /* twice the number of its calls, plus 1 while it is in one */
	aio_context_t aio;
	struct completions *done; /* NULL: this kernel has no io_submit(2) */
	bool ready;               /* the watching thread may read it */
} __rte_cache_aligned;

static struct caller callers[SIGNAL_THREADS];
static unsigned int ncallers; /* may exceed the number of states */
static __thread struct caller *self;
static int null_fd = -1;
static unsigned int careful; /* looks for which no eventfd is trusted; 0: all are trusted */

/* Makes an empty read, which is done at once: its completion is there when the call returns. */
static void
signal_prepare(struct caller *c)
{
	if (syscall(SYS_io_setup, 1, &c->aio) != 0)
		return;
	c->done = (struct completions *)(uintptr_t)c->aio;
	if (c->done->magic != COMPLETIONS_MAGIC)
		c->done = NULL;
}

/* Returns the calling thread's state, or NULL if there are more threads than the switch has. */
static struct caller *
signal_enroll(void)
{
	unsigned int i = fetch_add_relaxed(&ncallers, 1);
	struct caller *c = &callers[i];

	if (i >= SIGNAL_THREADS)
		return NULL;
	c->thread = pthread_self();
	signal_prepare(c);
	store_release(&c->ready, true);
	return c;
}

/* Signals by the kernel. Returns false, without a signal, if the kernel can't. */
static bool
signal_by_kernel(struct caller *c, int fd)
{
	struct iocb read = {
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)null_fd,
			.aio_buf = (uintptr_t)&read,
			.aio_flags = IOCB_FLAG_RESFD,
			.aio_resfd = (uint32_t)fd,
	};
	struct iocb *submit = &read;

	if (c->done == NULL || syscall(SYS_io_submit, c->aio, 1, &submit) != 1)
		return false;
	/* The completion is taken without being read. */
	store_release(&c->done->head, load_acquire(&c->done->tail));
	return true;
}

static bool
signal_by_write(struct caller *c, int fd)
{
	bool interrupted;

	store_relaxed(&c->calls, c->calls + 1);
	interrupted = eventfd_write(fd, 1) != 0 && errno == EINTR;
	store_relaxed(&c->calls, c->calls + 1);
	if (unlikely(interrupted))
		store_relaxed(&careful, SIGNAL_CAREFUL * 1000 / SIGNAL_LOOK);
	return !interrupted;
}

bool
signal_guest(int fd)
{
	if (unlikely(self == NULL)) {
		self = signal_enroll();
		if (self == NULL)
			return true;
	}
	if (unlikely(load_relaxed(&careful) != 0) && signal_by_kernel(self, fd))
		return true;
	return signal_by_write(self, fd);
}

void
signal_socket(int fd)
{
	static const uint64_t one = 1;

	if (send(fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* It is full, or nobody reads it any more: nobody needs to be woken up. */
	}
}

/*
 * Interrupts threads that are in the same call as at the last look. Returns true if there was a call
 * since then.
 */
static bool
signal_look(void)
{
	static uint32_t seen[SIGNAL_THREADS]; /* used by this thread alone */
	bool any = false;
	struct caller *c;
	uint32_t calls;

	for (c = callers; c < callers + SIGNAL_THREADS; c++) {
		if (!load_acquire(&c->ready))
			continue;
		calls = load_relaxed(&c->calls);
		/* A thread that only had no CPU for that long ends its call as usual. */
		if ((calls & 1) && calls == seen[c - callers])
			pthread_kill(c->thread, SIGNAL_INTERRUPT);
		any |= calls != seen[c - callers] || (calls & 1);
		seen[c - callers] = calls;
	}
	return any;
}

static void *
signal_look_on(void *arg)
{
	struct timespec nap = {0};
	unsigned int left;
	bool told = false, calls;

	RTE_SET_USED(arg);
	for (;;) {
		nanosleep(&nap, NULL);
		calls = signal_look();
		left = load_relaxed(&careful);
		nap.tv_nsec = (calls || left != 0 ? SIGNAL_LOOK : SIGNAL_LOOK_IDLE) * 1000000;
		/*
		 * Only this thread counts down from a value that is not 0; a value set meanwhile
		 * may get lost.
		 */
		if (left != 0)
			store_relaxed(&careful, left - 1);
		if (left != 0 && !told)
			say(WARNING,
					"a guest's owner made its call file descriptor block; for %d s all guests are "
					"signalled in a way that can't, which costs more\n",
					SIGNAL_CAREFUL);
		told = left != 0;
	}
	return NULL; /* never */
}

static void
signal_nothing(int sig)
{
	RTE_SET_USED(sig);
}

bool
signal_allow_interrupts(void)
{
	struct sigaction sa = {.sa_handler = signal_nothing}; /* no SA_RESTART: calls end */

	return sigaction(SIGNAL_INTERRUPT, &sa, NULL) == 0;
}

bool
signal_start(void)
{
	pthread_t looking;

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return null_fd >= 0 && signal_allow_interrupts() &&
			pthread_create(&looking, NULL, signal_look_on, NULL) == 0 &&
			pthread_detach(looking) == 0;
}
