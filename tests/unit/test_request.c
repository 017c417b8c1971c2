/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A line of the control socket: what is a request, and what is answered to one. */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "guest/vhost_user.h"
#include "run/load.h"
#include "run/rpc_call.h"
#include "run/rpc_client.h"
#include "unit.h"
#include "world.h"

#define REQUEST(rest) "{\"jsonrpc\": \"2.0\", " rest "}"

/* Returns the answer to a line, or NULL. */
static json_t *
ask(struct world *w, const char *line)
{
	const struct rpc_ticket nobody = {.rpc = NULL};
	json_t *answer;
	char *text;

	assert_true(rpc_request(&w->parts, &nobody, line, strlen(line), &text));
	answer = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	assert_true(text == NULL || (answer != NULL && strchr(text, '\n') == NULL));
	free(text);
	if (answer != NULL)
		assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	return answer;
}

/* The line must be refused with this code and an error that has these words; the answer must have this id. */
static void
refused(struct world *w, const char *line, int code, const char *words, const char *id)
{
	json_t *answer = ask(w, line), *error = json_object_get(answer, "error");
	char *got = json_dumps(json_object_get(answer, "id"), JSON_ENCODE_ANY);

	if (error == NULL || json_integer_value(json_object_get(error, "code")) != code ||
			strstr(json_string_value(json_object_get(error, "message")), words) == NULL)
		fail_msg("%s\nis not refused by %d, %s", line, code, words);
	assert_null(json_object_get(answer, "result"));
	assert_string_equal(got, id);
	free(got);
	json_decref(answer);
}

static void
test_lines_that_are_no_json(void **state)
{
	refused(*state, "x", RPC_CODE_PARSE, "column 1", "null");
	refused(*state, "{\"jsonrpc\": \"2.0\", ", RPC_CODE_PARSE, "column 19", "null");
	refused(*state, REQUEST("\"id\": 1, \"id\": 2, \"method\": \"hello\""), RPC_CODE_PARSE,
			"duplicate", "null");
	refused(*state, REQUEST("\"id\": 1, \"method\": \"hello\"") " {}", RPC_CODE_PARSE,
			"end of file", "null");
	refused(*state, "{\"\xc3\x28\": 1}", RPC_CODE_PARSE, "unable to decode byte", "null");
}

static void
test_json_that_is_no_request(void **state)
{
	refused(*state, "[]", RPC_CODE_REQUEST, "one request a line", "null");
	refused(*state, "[" REQUEST("\"id\": 1, \"method\": \"hello\"") "]", RPC_CODE_REQUEST,
			"one request a line", "null");
	refused(*state, "{}", RPC_CODE_REQUEST, "must be an object with", "null");
	refused(*state, "{\"id\": 7, \"method\": \"hello\"}", RPC_CODE_REQUEST, "\"jsonrpc\"", "7");
	refused(*state, "{\"jsonrpc\": 2.0, \"id\": 7, \"method\": \"hello\"}", RPC_CODE_REQUEST,
			"\"jsonrpc\"", "7");
	refused(*state, REQUEST("\"id\": 7"), RPC_CODE_REQUEST, "\"method\"", "7");
	refused(*state, REQUEST("\"id\": 7, \"method\": null"), RPC_CODE_REQUEST, "\"method\"",
			"7");
	refused(*state, REQUEST("\"id\": {}, \"method\": \"hello\""), RPC_CODE_REQUEST,
			"id: must be", "null");
	refused(*state, REQUEST("\"id\": true, \"method\": \"hello\""), RPC_CODE_REQUEST,
			"id: must be", "null");
	refused(*state, REQUEST("\"id\": 7, \"method\": \"hello\", \"params\": []"),
			RPC_CODE_PARAMS, "params: must be an object", "7");
}

static void
test_methods_and_their_parameters(void **state)
{
	refused(*state, REQUEST("\"id\": \"a\", \"method\": \"dance\""), RPC_CODE_METHOD,
			"method dance: there is none; there are hello port.list", "\"a\"");
	/* A name of any length, and of bytes that do not end with a character where it is cut. */
	refused(*state,
			REQUEST("\"id\": 1, \"method\": \"x\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
				"\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
				"\303\244\303\244\303\244\""),
			RPC_CODE_METHOD, "method x????", "1");
	refused(*state, REQUEST("\"id\": 1, \"method\": \"hello\", \"params\": {\"more\": 1}"),
			RPC_CODE_PARAMS, "params: ", "1");
	refused(*state, REQUEST("\"id\": 1, \"method\": \"fdb.list\", \"params\": {\"limit\": \"1\"}"),
			RPC_CODE_PARAMS, "params: Expected integer", "1");
	refused(*state, REQUEST("\"id\": 1, \"method\": \"fdb.del\", \"params\": {}"),
			RPC_CODE_PARAMS, "mac", "1");
	refused(*state, REQUEST("\"id\": 1, \"method\": \"fdb.list\", \"params\": {\"port\": \"c\"}"),
			RPC_CODE_NONE, "port c: no guest of that name", "1");
}

/* The answer has the request's id, as it is. */
static void
answers(struct world *w, const char *line, const char *id)
{
	json_t *answer = ask(w, line);
	char *got = json_dumps(json_object_get(answer, "id"), JSON_ENCODE_ANY);

	assert_true(json_is_object(json_object_get(answer, "result")));
	assert_null(json_object_get(answer, "error"));
	assert_string_equal(got, id);
	free(got);
	json_decref(answer);
}

static void
test_answers_have_the_id(void **state)
{
	answers(*state, REQUEST("\"id\": 1, \"method\": \"hello\""), "1");
	answers(*state, REQUEST("\"id\": -9223372036854775808, \"method\": \"hello\""),
			"-9223372036854775808");
	answers(*state, REQUEST("\"id\": 1.5, \"method\": \"hello\", \"params\": {}"), "1.5");
	answers(*state, REQUEST("\"id\": \"\", \"method\": \"hello\""), "\"\"");
	answers(*state, REQUEST("\"id\": null, \"method\": \"hello\""), "null");
	answers(*state, "\r\t " REQUEST("\"id\": 2, \"method\": \"hello\"") " \r", "2");
}

static void
test_notifications_have_none(void **state)
{
	assert_null(ask(*state, REQUEST("\"method\": \"hello\"")));
	assert_null(ask(*state, REQUEST("\"method\": \"dance\"")));
	assert_null(ask(*state, REQUEST("\"method\": \"fdb.del\", \"params\": {\"mac\": 1}")));
	/* This line can't be recognised as a notification. */
	refused(*state, REQUEST("\"method\": \"hello\", \"params\": 1"), RPC_CODE_PARAMS, "params",
			"null");
}

static void
test_a_result_that_is_too_long(void **state)
{
	json_t *id = json_integer(5), *answer;
	char *longest = unit_zalloc(RPC_ANSWER_MAX + 1), *text;

	RTE_SET_USED(state);
	memset(longest, 'x', RPC_ANSWER_MAX);
	text = rpc_text(id, json_pack("{s:s}", "x", longest), 0, "");
	answer = json_loads(text, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(
					    json_object_get(answer, "error"), "message")),
			"answer: too long; ask for less");
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 5);
	json_decref(answer);
	json_decref(id);
	free(text);
	free(longest);
}

/* Rings to move, for worker.rebalance: how many, and the one that can't be moved now. */
static unsigned int moves, held_at;

struct balance *__wrap_loads_weigh(const struct loads *all, const struct lanes *lanes);
bool __wrap_loads_next_move(struct balance *b, unsigned int workers, uint16_t *device,
		uint16_t *pair, unsigned int *worker);
bool __wrap_vhost_user_move(struct guests *all, const struct ring_move *m, bool moved[]);

struct balance *
__wrap_loads_weigh(const struct loads *all, const struct lanes *lanes)
{
	RTE_SET_USED(all);
	RTE_SET_USED(lanes);
	return unit_zalloc(1);
}

bool
__wrap_loads_next_move(struct balance *b, unsigned int workers, uint16_t *device, uint16_t *pair,
		unsigned int *worker)
{
	RTE_SET_USED(b);
	RTE_SET_USED(workers);
	*device = *pair = 0;
	*worker = 0;
	return moves-- > 0;
}

bool
__wrap_vhost_user_move(struct guests *all, const struct ring_move *m, bool moved[])
{
	RTE_SET_USED(all);
	moved[m->device] = held_at != 0;
	return held_at-- != 0;
}

/* An empty list says that nothing need be moved; not that nothing could be. */
static void
test_rebalance_that_is_held_up(void **state)
{
	static const char line[] = REQUEST("\"id\": 1, \"method\": \"worker.rebalance\"");
	json_t *answer;

	moves = 2;
	held_at = 0;
	refused(*state, line, RPC_CODE_BUSY, "ask again", "1");
	moves = 0;
	answers(*state, line, "1");
	/* What was done is told of. */
	moves = 2;
	held_at = 1;
	answer = ask(*state, line);
	assert_int_equal(json_array_size(json_object_get(
					 json_object_get(answer, "result"), "moved")),
			1);
	json_decref(answer);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
			TEST(lines_that_are_no_json),
			TEST(json_that_is_no_request),
			TEST(methods_and_their_parameters),
			TEST(answers_have_the_id),
			TEST(notifications_have_none),
			TEST(a_result_that_is_too_long),
			TEST(rebalance_that_is_held_up),
	};

	return cmocka_run_group_tests_name("request", tests, unit_eal, unit_eal_end);
}
