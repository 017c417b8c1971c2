/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The file of a socket that the switch serves. Main lcore, or the thread of registrar.h. */
#ifndef GUEST_SOCKET_FILE_H
#define GUEST_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Makes way for a socket of ours: removes a stale one, and nothing else. Returns false after an
 * error was logged.
 */
bool socket_file_make_way(const char *path);

/* Returns true if this process serves a socket. Someone else may have one where ours could not be made. */
bool socket_file_is_own(const char *path);

/* Gives a socket to another user and group. Returns false after an error was logged. */
bool socket_file_give(const char *path, uid_t uid, gid_t gid);

/* Sets the permissions of a socket's file. Returns false after an error was logged. */
bool socket_file_set_mode(const char *path, mode_t mode);

/* Tells whose a socket's file is, and its permissions. Returns false if it is none. */
bool socket_file_look(const char *path, uid_t *uid, gid_t *gid, mode_t *mode);

/* Returns the permissions that a new socket's file gets: all, less the umask. */
mode_t socket_file_new_mode(void);

/* Returns the group that a new socket's file gets: this process's, or its folder's if that has the setgid bit. */
gid_t socket_file_new_group(const char *path);

#endif /* GUEST_SOCKET_FILE_H */
