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
ask_connect(const char *path, unsigned int seconds)
{
	const struct timeval patience = {.tv_sec = seconds};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		ctl_die(CTL_USAGE, "--socket %s: longer than a socket's path may be", path);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The second one is for connecting, too: there may be no room in the switch's queue. */
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
			connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fdopen(fd, "r");
	return NULL; /* this process ends soon, and the file descriptor with it */
}

bool
ctl_reaches(struct ctl *c)
{
	if (c->socket == NULL)
		c->socket = ask_connect(c->path, c->patience);
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

/* Notes why nothing can be asked. Returns NULL. */
__attribute__((format(printf, 3, 4))) static json_t *
ask_fail(struct ctl *c, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	c->status = status;
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
	return NULL;
}

/* Returns the result that an answer has. */
static json_t *
ask_result(struct ctl *c, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	json_t *result = json_object_get(answer, "result");

	if (error == NULL && result == NULL)
		return ask_fail(c, CTL_ABSENT, "the switch at %s does not answer", c->path);
	if (error != NULL)
		return ask_fail(c, CTL_REFUSED, "%s",
				json_string_value(json_object_get(error, "message")));
	return json_incref(result);
}

json_t *
ctl_try(struct ctl *c, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
			method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT);
	json_t *answer, *result;

	if (text == NULL) /* also without parameters: what could not be packed is not left out */
		ctl_die(CTL_USAGE, "%s: no memory, or an argument is not UTF-8", method);
	if (!ctl_reaches(c)) {
		result = ask_fail(c, CTL_ABSENT,
				"no switch at %s: %s; is it running, with --control %s? --socket names "
				"another",
				c->path, strerror(errno), c->path);
	} else {
		ask_send(fileno(c->socket), text);
		answer = ctl_read(c);
		result = ask_result(c, answer);
		json_decref(answer);
	}
	json_decref(request);
	free(text);
	return result;
}

json_t *
ctl_ask(struct ctl *c, const char *method, json_t *params)
{
	json_t *result = ctl_try(c, method, params);

	if (result == NULL)
		ctl_die(c->status, "%s", c->error);
	return result;
}
