/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The lock of EAL's heap, told to ThreadSanitizer. rte_malloc() and rte_free() write zeroes into memory
 * under that lock; the library is not instrumented, so that only those writes are seen. This program
 * and librte_vhost call these functions, and they call EAL's: each call comes after the one before it.
 *
 * Part of the switch that SANITIZE=thread builds, and of no other.
 */
#include <dlfcn.h>
#include <stddef.h>

#include <rte_malloc.h>

#include "base/tsan.h"

static char heap;

/* Calls EAL's own of a name, in its turn. */
#define IN_TURN(type, name, ...) \
	({ \
		void *own = dlsym(RTLD_NEXT, #name); \
		void *p; \
		tsan_acquire(&heap); \
		p = ((void *(*)type)own)(__VA_ARGS__); \
		tsan_release(&heap); \
		p; \
	})

void *
rte_zmalloc_socket(const char *name, size_t size, unsigned int align, int socket)
{
	return IN_TURN((const char *, size_t, unsigned int, int), rte_zmalloc_socket, name, size,
			align, socket);
}

void *
rte_malloc_socket(const char *name, size_t size, unsigned int align, int socket)
{
	return IN_TURN((const char *, size_t, unsigned int, int), rte_malloc_socket, name, size,
			align, socket);
}

void *
rte_zmalloc(const char *name, size_t size, unsigned int align)
{
	return IN_TURN((const char *, size_t, unsigned int), rte_zmalloc, name, size, align);
}

void *
rte_malloc(const char *name, size_t size, unsigned int align)
{
	return IN_TURN((const char *, size_t, unsigned int), rte_malloc, name, size, align);
}

void *
rte_calloc(const char *name, size_t n, size_t size, unsigned int align)
{
	return IN_TURN((const char *, size_t, size_t, unsigned int), rte_calloc, name, n, size,
			align);
}

void *
rte_realloc_socket(void *old, size_t size, unsigned int align, int socket)
{
	return IN_TURN((void *, size_t, unsigned int, int), rte_realloc_socket, old, size, align,
			socket);
}

void
rte_free(void *p)
{
	void (*own)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "rte_free");

	tsan_acquire(&heap);
	own(p);
	tsan_release(&heap);
}
