/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Names other processes of the machine for the log. Any thread; not on the fast path. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* "process ", a number, and a name of up to 15 bytes in parentheses. */
#define PROCESS_TEXT 64

/*
 * Writes "process 4711 (qemu-system-x86)". If `pid` is 0, the process is in another PID namespace
 * and has no number here; if it is negative, the process is not known. A process chooses its name
 * itself, so only printable ASCII of it is shown.
 */
void process_text(pid_t pid, char *text, size_t size);

#endif /* PROCESS_H */
