/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Checks that a client's memory is in a file that nobody can withhold (see guest/fd_gate.h). It has no
 * state. The cuse thread calls it.
 */
#ifndef GUEST_CUSE_MEMFILE_H
#define GUEST_CUSE_MEMFILE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Returns true if `handle`, opened with O_PATH, is of tmpfs or hugetlbfs: of the kernel's own
 * mounts of them, as a memfd is, or of one that `process` sees. It is called before the file is
 * opened or used in any way, as the server of its file system may not answer.
 */
bool memfile_ok(pid_t process, int handle);

#endif /* GUEST_CUSE_MEMFILE_H */
