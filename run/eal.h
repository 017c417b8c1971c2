/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Starts EAL, so that an error is one line. Main lcore. */
#ifndef RUN_EAL_H
#define RUN_EAL_H

#include <stdbool.h>

struct eal_args;

/*
 * Starts EAL with the part of the command line before "--". Returns false if it can't start; the
 * last line on stderr has the reason. eal_args_free() frees *args after rte_eal_cleanup().
 */
bool eal_start(struct eal_args *args, int argc, char **argv);

#endif /* RUN_EAL_H */
