/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What a client sends to the control socket: any bytes, in any pieces. Each line that is a request gets the
 * one answer that JSON-RPC 2.0 has for it, in order; a client beside it is served as ever.
 *
 * Every method is called, and those that change ports go as far as a proposal (change.h): the settings at
 * hand are such that each is refused, as an input must not choose where sockets are made.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_parse.h"
#include "fuzz.h"
#include "run/change.h"
#include "run/load.h"
#include "run/rpc.h"
#include "run/rpc_call.h"
#include "world.h"

#define GUESTS 2
#define TEXT_MAX 1024

/* Bytes that are read at a time; an answer has up to RPC_ANSWER_MAX. */
#define READ_MAX 65536

static struct world *w;
static struct conf given;
static struct loads loads;

void
fuzz_setup(void)
{
	static char *words[] = {
			"vhost-switch", "--", "--port", "a,socket=a", "--port", "b,socket=b", NULL};
	const char *folder = getenv("TMPDIR");

	fuzz_eal();
	w = world_create(GUESTS);
	assert_int_equal(conf_parse(&given, RTE_DIM(words) - 1, words), CONF_RUN);
	/* There is no NIC that could switch: no settings that come from these can be put into effect. */
	given.vm2vm = VM2VM_NIC;
	snprintf(w->r->conf.control, sizeof(w->r->conf.control), "%s/control.%d",
			folder != NULL ? folder : "/tmp", getpid());
	w->parts.loads = &loads;
	w->parts.changes = changes_create(&w->parts, &given, 1, words);
	assert_non_null(w->parts.changes);
	assert_true(rpc_open(&w->parts.rpc, &w->parts));
}

static int
open_client(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", w->r->conf.control);
	assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	rpc_work(w->parts.rpc);
	return fd;
}

/* What a client was answered. */
struct heard {
	char *text;
	size_t len;
	bool ended; /* the switch has hung up */
};

/* Reads all that is there. */
static void
listen_to(int fd, struct heard *h)
{
	ssize_t n;

	do {
		h->text = realloc(h->text, h->len + READ_MAX);
		assert_non_null(h->text);
		n = recv(fd, h->text + h->len, READ_MAX, MSG_DONTWAIT);
		if (n > 0)
			h->len += n;
	} while (n > 0);
	h->ended |= n == 0;
}

/* Takes the next answer from *at on. */
static json_t *
next_answer(const struct heard *h, size_t *at)
{
	const char *end = memchr(h->text + *at, '\n', h->len - *at);
	json_t *answer;

	assert_non_null(end);
	answer = json_loadb(h->text + *at, end - h->text - *at, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(answer);
	*at = end + 1 - h->text;
	return answer;
}

/* Returns true if a request is one that may do without an answer, and wants none. */
static bool
is_notification(const json_t *request)
{
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *params = json_object_get(request, "params");

	return json_object_get(request, "id") == NULL && version != NULL &&
			strcmp(version, "2.0") == 0 &&
			json_is_string(json_object_get(request, "method")) &&
			(params == NULL || json_is_object(params));
}

static void
check_answer(const json_t *request, const json_t *answer)
{
	const json_t *id = json_object_get(request, "id"), *got = json_object_get(answer, "id");
	const json_t *result = json_object_get(answer, "result");
	const json_t *error = json_object_get(answer, "error");

	assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	assert_true((result != NULL) != (error != NULL));
	if (json_is_number(id) || (json_is_string(id) && json_string_length(id) <= RPC_ID_MAX))
		assert_true(json_equal(id, got));
	else
		assert_true(json_is_null(got));
	if (error != NULL) {
		assert_true(json_is_integer(json_object_get(error, "code")));
		assert_true(json_string_length(json_object_get(error, "message")) != 0);
	} else {
		assert_true(json_is_object(result) && request != NULL);
	}
}

/* Checks that each line of the text has its answer, and that there are no others. */
static void
check_answers(const char *text, size_t len, const struct heard *h)
{
	const char *line = text, *end;
	json_t *request, *answer;
	size_t at = 0;

	for (; (end = memchr(line, '\n', text + len - line)) != NULL; line = end + 1) {
		if (end == line)
			continue;
		request = json_loadb(line, end - line, JSON_REJECT_DUPLICATES, NULL);
		if (request == NULL || !is_notification(request)) {
			answer = next_answer(h, &at);
			check_answer(request, answer);
			json_decref(answer);
		}
		json_decref(request);
	}
	assert_int_equal(at, h->len);
	assert_false(h->ended);
}

static void
send_piece(int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	rpc_work(w->parts.rpc);
}

/* Checks that a client that was there all the time is still served. */
static void
check_other(int fd)
{
	static const char hello[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n";
	struct heard h = {.text = NULL};

	send_piece(fd, hello, sizeof(hello) - 1);
	listen_to(fd, &h);
	check_answers(hello, sizeof(hello) - 1, &h);
	free(h.text);
}

void
fuzz_one(struct input *in)
{
	const size_t piece = 1 + fuzz_u8(in);
	char *text = fuzz_exact(TEXT_MAX + 1);
	size_t len = fuzz_take(in, text, TEXT_MAX), at, i;
	int fd = open_client(), other = open_client();
	struct heard h = {.text = NULL};

	text[len++] = '\n';
	for (at = 0; at < len; at += piece)
		send_piece(fd, text + at, RTE_MIN(piece, len - at));
	/* One line is handled a turn. */
	for (i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		rpc_work(w->parts.rpc);
		listen_to(fd, &h);
	}
	check_answers(text, len, &h);
	check_other(other);
	close(fd);
	close(other);
	for (i = 0; i < GUESTS + 2; i++)
		rpc_work(w->parts.rpc);
	wake_take(&w->r->wake);
	free(h.text);
	free(text);
}
