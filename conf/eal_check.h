/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds what would keep EAL from starting, before EAL prints about it: each error is one line with
 * the remedy. EAL itself reports errors that are not found here. Main lcore, before EAL starts.
 */
#ifndef EAL_CHECK_H
#define EAL_CHECK_H

#include <stdbool.h>

struct eal_said;

/*
 * Returns false if EAL can't start with what the command line says, and an error was printed:
 * a CPU that is not there, a number that is none, a prefix that another process uses, hugepages that
 * can't be had, or not as many as that.
 */
bool eal_check(const struct eal_said *said, bool no_huge);

#endif /* EAL_CHECK_H */
