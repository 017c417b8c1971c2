/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Other processes of the machine, as the log names them. Any thread; not on the fast path. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* "process ", a number, and a name of up to 15 bytes in parentheses. */
#define PROCESS_TEXT 64

/*
 * Writes "process 4711 (qemu-system-x86)". 0: one of another PID namespace, which has no
 * number here. Negative: not known. The name is the process's own choice, so only printable ASCII of it is shown.
 */
void process_text(pid_t pid, char *text, size_t size);

#endif /* PROCESS_H */
