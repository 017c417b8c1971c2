/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The configuration file, and what changes from one to the next. */
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "conf/conf_file.h"
#include "conf/conf_parse.h"
#include "conf/conf_port.h"
#include "base/log.h"
#include "conf_text.h"
#include "unit.h"

static struct conf now, next;
static char error[1024];

/* Reads a file's text, with a command line of words up to NULL. */
static bool
read_with(struct conf *c, const char *text, char **word)
{
	enum conf_result result;
	int argc = 0;

	while (word[argc] != NULL)
		argc++;
	say_error_into(error, sizeof(error));
	result = conf_parse_with(c, argc, word, text, strlen(text));
	say_error_into(NULL, 0);
	conf_port_limit_clients(c, c->client);
	return result == CONF_RUN;
}

static bool
read_text(struct conf *c, const char *text)
{
	char *word[] = {"vhost-switch", NULL};

	return read_with(c, text, word);
}

#define A "[port a]\nsocket=/a\n"
#define B "[port b]\nsocket=/b\n"

static void
test_before_file_after(void **state)
{
	static const struct {
		const char *before, *file, *diff;
	} rows[] = {
			{A, A, ""},
			{A, "# nothing else\n\n;\n[port a]\n socket = /a \n", ""},
			{A, A B, "+ port b socket=/b\n"},
			{A B, A, "- port b\n"},
			{A B, B A, ""},
			{A "vlan=7\n", A "vlan=\\\n# not in between\n  ; nor this\n7\n", ""},
			{A, B, "- port a\n+ port b socket=/b\n"},
			{A, A "vlan=7\n", "~ port a vlan default -> 7\n"},
			{A "vlan=7\n", A "vlan=8\nisolated=yes\n",
					"~ port a vlan 7 -> 8\n~ port a isolated default -> yes\n"},
			{A "mac=02:00:00:00:00:01\n",
					A "mac=02:00:00:00:00:01\nmac = 02:00:00:00:00:0A\n",
					"~ port a mac 02:00:00:00:00:01 -> "
					"02:00:00:00:00:01+02:00:00:00:00:0a\n"},
			{A, "[port a]\nsocket=/c\n", "~ port a socket /a -> /c\n"},
			{A, "[port c]\nsocket=/a\n", "- port a\n+ port c socket=/a\n"},
			{A, "[switch]\naging=5\n" A,
					"~ switch aging default -> 5 (needs a restart)\n"},
			{"[switch]\np=0x2\nP=yes\nvmdq=0\n" A, "[switch]\np=0x1\nvmdq=1\n" A,
					"~ switch vmdq 0 -> 1 (needs a restart)\n"
					"~ switch p 0x2 -> 0x1 (needs a restart)\n"
					"~ switch P yes -> default (needs a restart)\n"},
			/* The last line of a key counts. */
			{"[switch]\np=1\nP=yes\n" A, "[switch]\np=1\nP=yes\nP=no\n" A,
					"~ switch P yes -> default (needs a restart)\n"},
			{"[switch]\nsocket-file=/x/y\n", "[switch]\nsocket-file=/x/y\n" A,
					"+ port a socket=/a\n"},
			{A,
					A
					"own-tags=drop\numl=yes\nqueues=2\nmtu=1400\ncsum=yes\nguests=3\nmode=0600\n"
					"owner=1:2\n",
					"~ port a guests default -> 3\n"
					"~ port a own-tags default -> drop\n"
					"~ port a uml default -> yes\n"
					"~ port a owner default -> 1:2\n"
					"~ port a mode default -> 0600\n"
					"~ port a mtu default -> 1400\n"
					"~ port a queues default -> 2\n"
					"~ port a csum default -> yes\n"},
	};
	size_t i;
	char *text;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		if (!read_text(&now, rows[i].before) || !read_text(&next, rows[i].file))
			fail_msg("row %zu: %s", i, error);
		assert_true(conf_assign_indexes(&next, &now, NULL, NULL));
		text = conf_text(&now, &next);
		if (strcmp(text, rows[i].diff) != 0)
			fail_msg("row %zu: not\n%s\nbut\n%s", i, rows[i].diff, text);
		free(text);
	}
}

/* What is written is read as the same. */
static void
test_written_and_read(void **state)
{
	static char *lines[][14] = {
			{"vhost-switch", "--", "--socket-file", "/a", "--socket-file", "b/b", NULL},
			{"vhost-switch", "--", "-p", "8", "-P", "--vlan-base", "0", "--aging", "0",
					NULL},
			{"vhost-switch", "--", "--client", "--socket-file", "/a", "--rx-retry", "0",
					NULL},
			{"vhost-switch", "--", "--port",
					"x,socket=/x,role=client,vlan=0,mac=02:00:00:00:00:01+"
					"02:00:00:00:00:02,isolated=yes,own-tags=drop,uml=yes",
					"--tso", "1", "--mergeable", "1", NULL},
			{"vhost-switch", "--", "--port",
					"x,socket=/x,guests=9,owner=5:6,mode=0640,mtu=9000,queues=3,csum=no,"
					"tso=no,mergeable=yes",
					"--dev-owner", "1:2", "--dev-mode", "0666", NULL},
			{"vhost-switch", "--", "--socket-file", "/x/uplink", "--socket-file",
					"/x/device", "--socket-file", "/x/7", "--socket-file",
					"/x/", NULL},
			{"vhost-switch", "--", "-p", "1", "--vmdq", "0", "--vm2vm", "1",
					"--control", "none", "--total-num-mbufs", "5000", NULL},
	};
	size_t i;
	char *text, *again, *diff;

	(void)state;
	for (i = 0; i < RTE_DIM(lines); i++) {
		assert_true(read_with(&now, "", lines[i]));
		text = conf_text(&now, NULL);
		if (!read_text(&next, text))
			fail_msg("line %zu: %s\n%s", i, error, text);
		again = conf_text(&next, NULL);
		assert_string_equal(text, again);
		diff = conf_text(&now, &next);
		if (diff[0] != '\0')
			fail_msg("line %zu: %s", i, diff);
		free(diff);
		free(again);
		free(text);
	}
}

/* A socket of the command line, for many guests, that was made a client at run time: a client has one guest. */
static void
test_written_client_is_taken(void **state)
{
	static char *line[] = {"vhost-switch", "--", "--socket-file", "/a", NULL};
	char *text;

	(void)state;
	assert_true(read_with(&now, "", line));
	assert_true(conf_port_set(&now.port[0], "test", "role", "client"));
	text = conf_text(&now, NULL);
	assert_true(read_text(&next, text));
	if (!conf_resolve(&next))
		fail_msg("refused: %s", text);
	assert_int_equal(next.port[0].guests, 1);
	free(text);
}

/* What the switch accepted while it ran is not refused at the next start. */
static void
test_written_after_ports_went(void **state)
{
	static const struct {
		const char *file, *gone, *vlan, *diff; /* then port c gets a tag */
	} rows[] = {
			{"[port a]\nsocket=/a\n[port b]\nsocket=/b\n[port c]\nsocket=/c\n", "a",
					"1000", "~ port b vlan default -> 1001\n"},
			/* One may need the place of another that moves. */
			{"[port a]\nsocket=/a\n[port b]\nsocket=/b\n[port d]\nsocket=/d\n[port c]\n"
			 "socket=/c\n",
					"a", "1000",
					"~ port b vlan default -> 1001\n"
					"~ port d vlan default -> 1002\n"},
			{"[port a]\nsocket=/a\n[port b]\nsocket=/b\n[port c]\nsocket=/c\n", "b",
					"7", ""},
			{"[switch]\ndev-mode=0660\ndev-owner=1:2\n[port a]\nsocket=/a\n[port c]\n"
			 "socket=/c\nrole=client\n",
					"a", "7", ""},
			{"[switch]\ndev-mode=0660\nclient=yes\n[port c]\nsocket=/c\n", "c", NULL,
					""},
			{"[port c]\nsocket=/c\n", "c", NULL, ""},
	};
	char *text, *diff;
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		if (!read_text(&now, rows[i].file))
			fail_msg("row %zu: %s", i, error);
		conf_port_remove(&now, &now.port[conf_find_port(&now, rows[i].gone)]);
		if (rows[i].vlan != NULL)
			assert_true(conf_port_set(&now.port[conf_find_port(&now, "c")], "test",
					"vlan", rows[i].vlan));
		text = conf_text(&now, NULL);
		if (!read_text(&next, text))
			fail_msg("row %zu: %s\n%s", i, error, text);
		assert_true(conf_assign_indexes(&next, &now, NULL, NULL));
		diff = conf_text(&now, &next);
		if (strcmp(diff, rows[i].diff) != 0)
			fail_msg("row %zu: %s", i, diff);
		assert_int_equal(next.nports, now.nports);
		/* At the next start the ports close up. */
		assert_true(read_text(&next, text));
		say_error_into(error, sizeof(error));
		if (!conf_resolve(&next))
			fail_msg("row %zu: %s\n%s", i, error, text);
		say_error_into(NULL, 0);
		free(diff);
		free(text);
	}
}

/* As many addresses as a port may have, one a line, indented by any amount of blanks or tabs. */
static void
test_addresses_in_lines_of_their_own(void **state)
{
	static const char *const indents[] = {"    ", "\t", "\t \t         ", " ", ""};
	unsigned int n, row;
	char text[2048];
	size_t len = 0;

	(void)state;
	for (row = 0; row < RTE_DIM(indents); row++) {
		len = snprintf(text, sizeof(text), A "mac = ");
		for (n = 0; n < PORT_MACS_MAX; n++)
			len += snprintf(text + len, sizeof(text) - len, "%s02:00:00:00:00:%02x%s",
					n == 0 ? "" : indents[row], n,
					n < PORT_MACS_MAX - 1 ? "+ \\\n" : "\n");
		if (!read_text(&now, text))
			fail_msg("row %u: %s", row, error);
		assert_int_equal(now.port[0].nmacs, PORT_MACS_MAX);
		for (n = 0; n < PORT_MACS_MAX; n++)
			assert_int_equal(now.port[0].mac[n].addr_bytes[5], n);
	}
	snprintf(text + len - 1, sizeof(text) - len + 1, "+02:00:00:00:00:ff\n");
	assert_false(read_text(&next, text));
	assert_non_null(strstr(error, "at most 16 addresses"));
	assert_false(read_text(&next, A "mac = 02:00:00:00:00:001\n"));
}

static void
test_what_is_wrong_has_its_line(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
			{"x=1\n", "text:1: a section must come first"},
			{"[switch]\nx=1\n", "text:2: x: no such key"},
			{"[switch]\nhelp=1\n", "text:2: help: no such key"},
			{"[switch]\nconfig=/x\n", "text:2: config: no such key"},
			{"[switch]\nport=a,socket=/a\n", "a section of its own"},
			{"[switch]\nclient=1\n", "must be yes or no"},
			{"[switch]\nvm2vm=3\n", "text:2: --vm2vm 3: must be a number from 0 to 2"},
			{"\n\n[switch\n", "text:3: a section ends with ]"},
			{"[ports]\n", "the sections are [switch] and [port NAME]"},
			{"[port ]\n", "the sections are"},
			{"[port 7]\nsocket=/a\n", "text:1: --port 7: a name must not be a number"},
			{"[port a]\n", "socket=PATH is missing"},
			{A "\n" A, "text:4: --port a: there is a port of that name"},
			{A "[port b]\nsocket=/a\n", "is another port's"},
			{A "colour=red\n", "text:3: port a: colour: no such key"},
			{A "vlan\n", "text:3: must be KEY = VALUE"},
			{A "vlan=\\\n4095\n", "text:3: port a: vlan=4095: must be"},
			{"[switch]\nport \\\n", "text:2: must be KEY"},
			{"[port a]\nsocket=/a\\ \n",
					"text:2: socket= '/a\\': must be a path in UTF-8"},
			{"[switch]\ncontrol=/a\tb\n", "text:2: --control '/a\tb': must be a path"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		if (read_text(&now, rows[i].text))
			fail_msg("taken: %s", rows[i].text);
		if (strstr(error, rows[i].words) == NULL)
			fail_msg("%s\nsays: %s\nand not: %s", rows[i].text, error, rows[i].words);
	}
}

static void
test_no_text_at_all(void **state)
{
	static char large[CONF_FILE_MAX + 2];
	char *word[] = {"vhost-switch", NULL};

	(void)state;
	say_error_into(error, sizeof(error));
	assert_int_equal(conf_parse_with(&now, 1, word, "a\0b", 3), CONF_ERROR);
	assert_non_null(strstr(error, "a byte of 0"));
	memset(large, '\n', sizeof(large));
	say_error_into(error, sizeof(error));
	assert_int_equal(conf_parse_with(&now, 1, word, large, sizeof(large)), CONF_ERROR);
	assert_non_null(strstr(error, "longer than"));
	memset(large, 'x', sizeof(large));
	say_error_into(error, sizeof(error));
	assert_int_equal(conf_parse_with(&now, 1, word, large, 10000), CONF_ERROR);
	assert_non_null(strstr(error, "text:1: the line is longer than"));
	say_error_into(NULL, 0);
}

/* The command line overrides the file, setting by setting and port by port. */
static void
test_command_line_goes_first(void **state)
{
	char *word[] = {"vhost-switch", "--", "--aging", "9", "--port", "a,socket=/c",
			"--socket-file", "/b", NULL};

	(void)state;
	assert_true(read_with(&now,
			"[switch]\naging=5\nstats=3\n" A "vlan=7\n" B "[port d]\nsocket=/d\n",
			word));
	assert_int_equal(now.aging, 9);
	assert_int_equal(now.stats, 3);
	assert_int_equal(now.nports, 3);
	assert_string_equal(now.port[0].name, "d");
	assert_string_equal(now.port[1].socket, "/c");
	assert_false(now.port[1].vlan_given);
	assert_string_equal(now.port[2].socket, "/b");
	assert_int_equal(now.port[2].guests, SOCKET_GUESTS);
}

static bool
is_two(void *arg, unsigned int index)
{
	(void)arg;
	return index == 2;
}

/* Ports keep their indexes; new ones get indexes that no port has, had, or still uses. */
static void
test_places(void **state)
{
	(void)state;
	assert_true(read_text(&now, A B));
	assert_true(read_text(&next, "[port c]\nsocket=/c\n[port d]\nsocket=/d\n" B));
	assert_true(conf_assign_indexes(&next, &now, is_two, NULL));
	assert_false(conf_port_used(&next.port[0]));
	assert_string_equal(next.port[1].name, "b");
	assert_false(conf_port_used(&next.port[2]));
	assert_string_equal(next.port[3].name, "c");
	assert_string_equal(next.port[4].name, "d");
	assert_int_equal(next.nports, 5);
}

/* Whether the switch connects to its sockets needs a restart: until then it decides how many guests a port takes. */
static void
test_client_needs_a_restart(void **state)
{
	static char file[] = "[switch]\nclient = yes\n[port c]\nsocket=/c\n", none[] = "";
	char *serves[] = {"vhost-switch", "--", "--socket-file", "/a", NULL};
	char *connects[] = {"vhost-switch", "--", "--client", "--socket-file", "/a", NULL};
	char *text;

	(void)state;
	assert_int_equal(conf_parse_given(&now, 4, serves), CONF_RUN);
	assert_int_equal(conf_parse_with(&next, 4, serves, file, strlen(file)), CONF_RUN);
	assert_true(conf_assign_indexes(&next, &now, NULL, NULL));
	assert_int_equal(next.port[conf_find_port(&next, "a")].guests, SOCKET_GUESTS);
	text = conf_text(&now, &next);
	assert_string_equal(text,
			"~ switch client default -> yes (needs a restart)\n+ port c socket=/c\n");
	free(text);
	/* The other way round. */
	assert_int_equal(conf_parse_given(&now, 5, connects), CONF_RUN);
	assert_int_equal(conf_parse_with(&next, 4, serves, none, 0), CONF_RUN);
	assert_true(conf_assign_indexes(&next, &now, NULL, NULL));
	text = conf_text(&now, &next);
	assert_string_equal(text, "~ switch client yes -> default (needs a restart)\n");
	free(text);
}

static void
test_kinds_of_change(void **state)
{
	static const struct {
		const char *keys;
		enum change change;
	} rows[] = {
			{"", CHANGE_NONE},
			{"vlan=5\n", CHANGE_LIVE},
			{"mac=02:00:00:00:00:01\n", CHANGE_LIVE},
			{"isolated=yes\n", CHANGE_LIVE},
			{"own-tags=drop\n", CHANGE_LIVE},
			{"guests=5\n", CHANGE_LIVE},
			{"owner=0:0\nmode=0600\n", CHANGE_LIVE},
			{"mtu=1400\n", CHANGE_REMAKE},
			{"queues=1\nvlan=5\n", CHANGE_REMAKE},
			{"mergeable=yes\n", CHANGE_REMAKE},
			{"csum=yes\n", CHANGE_REMAKE},
			{"tso=yes\n", CHANGE_REMAKE},
			{"uml=yes\n", CHANGE_REMAKE},
			{"role=client\n", CHANGE_REMAKE},
			{"role=server\n", CHANGE_NONE},
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		assert_true(read_text(&now, A));
		snprintf(text, sizeof(text), A "%s", rows[i].keys);
		assert_true(read_text(&next, text));
		assert_true(conf_resolve(&now) && conf_resolve(&next));
		if (conf_change(&now, &next, 0) != rows[i].change)
			fail_msg("%s", text);
		assert_int_equal(conf_change(&now, &next, 1), CHANGE_NONE);
	}
	assert_true(read_text(&next, A B));
	assert_int_equal(conf_change(&now, &next, 1), CHANGE_ADD);
	assert_int_equal(conf_change(&next, &now, 1), CHANGE_REMOVE);
}

/* Resolving twice is resolving once; a key that is unset is as if it had never been set. */
static void
test_resolved_and_unset(void **state)
{
	char *text, *again;

	(void)state;
	assert_true(read_text(&now, A "tso=yes\nvlan=9\nmac=02:00:00:00:00:01\n"));
	next = now;
	assert_true(conf_resolve(&next));
	text = conf_text(&next, NULL);
	assert_true(conf_resolve(&next));
	again = conf_text(&next, NULL);
	assert_string_equal(text, again);
	free(again);
	free(text);
	assert_true(conf_port_unset(&now.port[0], "port a", "tso"));
	assert_true(conf_port_unset(&now.port[0], "port a", "mac"));
	text = conf_text(&now, NULL);
	assert_string_equal(text, "[switch]\n\n[port a]\nsocket = /a\nvlan = 9\n");
	free(text);
	say_error_into(error, sizeof(error));
	assert_false(conf_port_unset(&now.port[0], "port a", "nothing"));
	say_error_into(NULL, 0);
	assert_non_null(strstr(error, "no such key"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_before_file_after),
			cmocka_unit_test(test_written_and_read),
			cmocka_unit_test(test_written_client_is_taken),
			cmocka_unit_test(test_written_after_ports_went),
			cmocka_unit_test(test_addresses_in_lines_of_their_own),
			cmocka_unit_test(test_what_is_wrong_has_its_line),
			cmocka_unit_test(test_no_text_at_all),
			cmocka_unit_test(test_command_line_goes_first),
			cmocka_unit_test(test_places),
			cmocka_unit_test(test_client_needs_a_restart),
			cmocka_unit_test(test_kinds_of_change),
			cmocka_unit_test(test_resolved_and_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
