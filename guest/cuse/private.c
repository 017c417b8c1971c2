/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The cuse back end's own socket: see private.h for the contract. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/log.h"
#include "guest/cuse/private.h"
#include "guest/vhost_user.h"

/* Serves the socket, takes a handle of it, and removes its name. */
static bool
private_socket_bind_and_hide(struct private_socket *s, struct guests *guests)
{
	bool ok;

	if (!vhost_user_serve(guests, s->bound))
		return false;
	s->handle = open(s->bound, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	ok = s->handle >= 0 && chmod(s->bound, S_IRUSR | S_IWUSR) == 0;
	if (!ok)
		say_error("socket %s: can't be opened: %s", s->bound, strerror(errno));
	unlink(s->bound);
	if (!ok) {
		vhost_user_unserve(s->bound);
		return false;
	}
	/* connect(2) follows this link to the socket itself, also when it has no name. */
	snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d", s->handle);
	return true;
}

bool
private_serve(struct private_socket *s, struct guests *guests)
{
	char folder[SOCKET_PATH_MAX];
	const char *runtime = rte_eal_get_runtime_dir();

	s->handle = -1;
	if (snprintf(folder, sizeof(folder), "%s/cuse-XXXXXX", runtime) + (int)sizeof("/vhost") >
			(int)sizeof(s->bound)) {
		say_error("%s: too long a name for a socket below it; choose a shorter "
			  "--file-prefix",
				runtime);
		return false;
	}
	if (mkdtemp(folder) == NULL) {
		say_error("%s: no folder can be made there: %s", runtime, strerror(errno));
		return false;
	}
	snprintf(s->bound, sizeof(s->bound), "%.*s/vhost", SOCKET_PATH_MAX - 8, folder);
	if (!private_socket_bind_and_hide(s, guests))
		s->bound[0] = '\0';
	rmdir(folder);
	return s->bound[0] != '\0';
}

void
private_end(struct private_socket *s)
{
	if (s->bound[0] != '\0')
		vhost_user_unserve(s->bound);
	s->bound[0] = '\0';
	if (s->handle >= 0)
		close(s->handle);
	s->handle = -1;
}
