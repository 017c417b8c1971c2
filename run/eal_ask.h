/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Asks EAL whether it takes the options, before it starts.
 *
 * Releases of DPDK differ in their options, in what EAL prints about one that it refuses, and in what
 * follows: rte_eal_init() returns, or it ends the process (since 25.11, with status 234). No table here
 * can know all that. So a child process lets EAL read the options, followed by --help, at which EAL ends
 * the process instead of starting, and this process sees how that went.
 *
 * No state. Main lcore, except where it says otherwise.
 */
#ifndef RUN_EAL_ASK_H
#define RUN_EAL_ASK_H

#include <stdbool.h>
#include <stddef.h>

struct eal_args;

/*
 * Returns false if EAL refuses an option: `why` has the first line that it printed, without "EAL: ", or is
 * empty. Returns true as well if no child can be made: EAL's start then finds out. It is called while the
 * process has one thread; nothing is printed.
 */
bool eal_ask(const struct eal_args *args, char *why, size_t size);

/*
 * Copies an error of EAL or of a library into `to`, which has `size` bytes, without its prefix and its end, and cut
 * to fit. Any thread.
 */
void eal_ask_trim(char *to, size_t size, const char *text, size_t len);

#endif /* RUN_EAL_ASK_H */
