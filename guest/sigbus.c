/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The handler for vanished guest memory: see sigbus.h for the contract.
 *
 * It runs in the thread that touched the page: a worker (whose guests are
 * running, so their maps do not change), or librte_vhost's thread. It calls
 * mmap(2) and signal(2) alone. A signal handler is given no argument of ours:
 * hence this file's two variables.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "guest/guest.h"
#include "guest/sigbus.h"
#include "main.h"

static struct vswitch *all;
static __thread struct guest *working_for;

/* What a page may be: ordinary, and x86-64's and arm64's hugepages. */
static const size_t page_sizes[] = {4096, 65536, 2 << 20, 32 << 20, 1 << 30};

static bool
belongs_to(const struct guest *g, const void *addr)
{
	return guest_mem_holds(&g->mem, addr, 1) ||
			(uintptr_t)addr - (uintptr_t)g->mem.log < g->mem.log_size;
}

static struct guest *
owner(const void *addr)
{
	unsigned int i, n = __atomic_load_n(&all->ports, __ATOMIC_ACQUIRE);
	struct guest *g;

	for (i = 0; i < n; i++) {
		g = __atomic_load_n(&all->guest[i], __ATOMIC_ACQUIRE);
		if (g != NULL && g->running && belongs_to(g, addr))
			return g;
	}
	return working_for;
}

/* Puts zeroes where the page of `addr` was, whatever its size is. */
static bool
patch(uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(page_sizes); i++)
		if (mmap((void *)(addr & ~(page_sizes[i] - 1)), page_sizes[i],
				    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				    -1, 0) != MAP_FAILED)
			return true;
	return false;
}

static void
handler(int sig, siginfo_t *info, void *context)
{
	struct guest *g = owner(info->si_addr);

	RTE_SET_USED(context);
	if (g == NULL || info->si_code != BUS_ADRERR || !patch((uintptr_t)info->si_addr)) {
		signal(sig, SIG_DFL); /* the access is made again, and ends the process */
		return;
	}
	guest_fault(g, FAULT_MEMORY);
}

void
sigbus_init(struct vswitch *sw)
{
	struct sigaction sa;

	all = sw;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGBUS, &sa, NULL);
}

void
sigbus_working_for(struct guest *g)
{
	working_for = g;
}
