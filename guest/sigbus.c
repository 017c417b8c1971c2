/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The handler for vanished guest memory: see sigbus.h for the contract.
 *
 * It runs in the thread that touched the page: a worker, librte_vhost's thread, or the main lcore. A signal handler is
 * given no argument of ours: hence this file's two variables.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_vhost.h>

#include "base/atomic.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/fault_reason.h"
#include "guest/sigbus.h"
#include "guest/guests.h"
#include "switch/port.h"

static struct guests *all;
static __thread struct guest *working_for;

/* log2 of the sizes of pages: of ordinary ones first. */
static const unsigned int page_shifts[] = {12, GUEST_HUGEPAGE_SHIFTS};

/*
 * During a message librte_vhost may read memory that it has just mapped. It holds no lock of the
 * allocator then, as our own thread reads.
 */
static bool
sigbus_find_new(const struct guest *g, const void *addr, struct guest_mapping *m)
{
	struct rte_vhost_memory *table;
	bool found = false;
	unsigned int i;

	if (rte_vhost_get_mem_table(g->conn.vid, &table) != 0)
		return false;
	for (i = 0; i < table->nregions && !found; i++) {
		*m = (struct guest_mapping){
				table->regions[i].mmap_addr, table->regions[i].mmap_size};
		found = (uintptr_t)addr - (uintptr_t)m->at < m->len;
	}
	free(table);
	return found;
}

/* Looks once. *changes is set if the byte may be in a map that is being written. */
static struct guest *
sigbus_find(const void *addr, struct guest_mapping *m, bool *changes)
{
	unsigned int i, n = ports_used(all->ports);
	enum guest_mem_look look;
	struct guest *g;

	*changes = false;
	for (i = 0; i < n; i++) {
		g = load_acquire(&all->by_slot[i]);
		look = g != NULL ? guest_mem_mapping(&g->mem, addr, m) : GUEST_MEM_NONE;
		if (look == GUEST_MEM_FOUND)
			return g;
		*changes |= look == GUEST_MEM_CHANGES;
	}
	return NULL;
}

static struct guest *
sigbus_owner(const void *addr, struct guest_mapping *m)
{
	struct guest *g;
	bool changes;

	/* Whoever writes a map touches no guest's memory meanwhile, so that it does not wait for itself here. */
	while ((g = sigbus_find(addr, m, &changes)) == NULL && changes)
		sched_yield();
	if (g != NULL)
		return g;
	return working_for != NULL && sigbus_find_new(working_for, addr, m) ? working_for : NULL;
}

/* Maps zeroes over a mapping. If the system does not overcommit memory, they are of a file. */
static bool
sigbus_map_zeroes(const struct guest_mapping *m, size_t len)
{
	bool ok = mmap(m->at, len, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
				  0) != MAP_FAILED;
	int fd;

	if (ok || errno == EINVAL)
		return ok;
	fd = memfd_create("vanished", MFD_CLOEXEC);
	ok = fd >= 0 && ftruncate(fd, (off_t)len) == 0 &&
			mmap(m->at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
					MAP_FAILED;
	close(fd);
	return ok;
}

/*
 * Replaces a mapping as a whole: parts would be mappings of their own, whose number is limited. The
 * kernel rounds a length up to pages, and refuses any other length for hugepages: so the first
 * length that it accepts is that of the mapping.
 */
static bool
sigbus_replace(const struct guest_mapping *m)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(page_shifts); i++)
		if (sigbus_map_zeroes(m, RTE_ALIGN_CEIL(m->len, (size_t)1 << page_shifts[i])))
			return true;
		else if (errno != EINVAL)
			break;
	return false;
}

static void
sigbus_handler(int sig, siginfo_t *info, void *context)
{
	const int error = errno;
	struct guest_mapping m;
	struct guest *g = NULL;

	RTE_SET_USED(context);
	if (info->si_code == BUS_ADRERR)
		g = sigbus_owner(info->si_addr, &m);
	if (g == NULL || !sigbus_replace(&m)) {
		signal(sig, SIG_DFL); /* the access is repeated, and ends the process */
		return;
	}
	guest_fault(g, FAULT_MEMORY);
	errno = error;
}

void
sigbus_init(struct guests *guests)
{
	struct sigaction sa;

	all = guests;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = sigbus_handler;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGBUS, &sa, NULL);
}

void
sigbus_working_for(struct guest *g)
{
	working_for = g;
}
