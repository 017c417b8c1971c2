/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Requests and answers, a line each: see ctl.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"

/* How long the switch has for an answer. A change may wait 2 s for guests to be disconnected. */
#define PATIENCE_S 15

void
ctl_die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("vhost-switch-ctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}

/* Returns a stream from the switch, or NULL if there is none, and errno says why. */
static FILE *
ask_connect(const char *path)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		ctl_die(CTL_USAGE, "--socket %s: longer than a socket's path may be", path);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 &&
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0)
		return fdopen(fd, "r");
	return NULL; /* this process ends soon, and the file descriptor with it */
}

bool
ctl_reaches(struct ctl *c)
{
	if (c->socket == NULL)
		c->socket = ask_connect(c->path);
	return c->socket != NULL;
}

void
ctl_wait_for_ever(const struct ctl *c)
{
	const struct timeval never = {0};

	setsockopt(fileno(c->socket), SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
}

json_t *
ctl_read(struct ctl *c)
{
	char *line = NULL;
	size_t size = 0;
	json_t *answer = NULL;

	if (getline(&line, &size, c->socket) > 0)
		answer = json_loads(line, 0, NULL);
	free(line);
	return answer;
}

/* Sends a line. Errors show when the answer is read. */
static void
ask_send(int fd, char *text)
{
	size_t len = strlen(text), done = 0;
	ssize_t n;

	text[len++] = '\n'; /* in the place of its end */
	while (done < len && (n = send(fd, text + done, len - done, MSG_NOSIGNAL)) > 0)
		done += n;
}

json_t *
ctl_ask(struct ctl *c, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
			method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT);
	json_t *answer, *error, *result;

	if (text == NULL) /* also without parameters: what could not be packed is not left out */
		ctl_die(CTL_USAGE, "%s: no memory, or an argument is not UTF-8", method);
	if (!ctl_reaches(c))
		ctl_die(CTL_ABSENT,
				"no switch at %s: %s; is it running, with --control %s? --socket names "
				"another",
				c->path, strerror(errno), c->path);
	ask_send(fileno(c->socket), text);
	answer = ctl_read(c);
	if (answer == NULL)
		ctl_die(CTL_ABSENT, "the switch at %s does not answer", c->path);
	error = json_object_get(answer, "error");
	if (error != NULL)
		ctl_die(CTL_REFUSED, "%s", json_string_value(json_object_get(error, "message")));
	result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	json_decref(request);
	free(text);
	return result;
}
