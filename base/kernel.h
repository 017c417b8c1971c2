/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * How long this machine's kernel takes for what a worker can't do without. In some virtual machines a system call or
 * a page fault takes ten times as long as on the machine that the constants of cost.h were measured on.
 *
 * Main lcore, at start. No state.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>

/* Each returns the least that it takes, in cycles of the TSC, of some tries; 0 if it can't be measured. */
uint64_t kernel_page_fault(void); /* for a page of shared memory that is there */
uint64_t kernel_signal(void);     /* to write to an eventfd that nobody waits for */

#endif /* KERNEL_H */
