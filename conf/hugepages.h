/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The machine's hugepages, as EAL would find them. Main lcore, before EAL starts. */
#ifndef HUGEPAGES_H
#define HUGEPAGES_H

#include <stdbool.h>
#include <stddef.h>

/* What EAL's options say of memory. Without --in-memory EAL frees the pages of programs that have ended. */
struct eal_said;

/*
 * Returns true if a page of any size is free, or will be when EAL starts. If another program starts EAL, this and
 * the next ones wait for that, two seconds at most.
 */
bool hugepages_free(const struct eal_said *said);

/*
 * Returns the MiB of all pages that a process may still get: the free ones that no other process has reserved,
 * those that the kernel would add (nr_overcommit_hugepages), and those that EAL frees.
 */
unsigned long long hugepages_mib(const struct eal_said *said);

/* Returns true if the machine has this NUMA node. A kernel without NUMA tells of none, not even of node 0. */
bool hugepages_node(unsigned int node);

/* What happens to a process that takes pages from a mount, as EAL does without --in-memory. */
enum hugepages_mount {
	HUGEPAGES_MOUNT_GOOD,
	HUGEPAGES_MOUNT_NONE,   /* no hugetlbfs is mounted with pages of a size that is free */
	HUGEPAGES_MOUNT_CLOSED, /* there is one, but this process may not write there */
};

/*
 * Looks for a mount with free pages, or pages that EAL frees: any, or (if `only` is not NULL) the one with that
 * folder. For a closed mount it writes the folder to `folder`, and sets errno to the reason.
 */
enum hugepages_mount hugepages_find_mount(const char *only, char *folder, size_t size);

#endif /* HUGEPAGES_H */
