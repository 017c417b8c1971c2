/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What would keep EAL from starting, found before EAL prints about it: each is one line
 * with the remedy. What is not found here EAL says itself (see run/eal.h).
 */
#ifndef EAL_CHECK_H
#define EAL_CHECK_H

#include <stdbool.h>

struct eal_said;

/*
 * Returns false if EAL can't start with what the command line says, and an error was logged:
 * a CPU that is not there, a prefix that another process uses, hugepages that can't be had.
 */
bool eal_check(const struct eal_said *said, bool no_huge);

#endif /* EAL_CHECK_H */
