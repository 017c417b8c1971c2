/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The options as the build with the cuse back end takes them (see unit.mk). */
#include <grp.h>
#include <pwd.h>

#include <rte_common.h>

#include "conf_line.h"

static void
test_defaults(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_string_equal(conf.node, "usvhost");
	assert_int_equal(conf.nports, 1);
	assert_string_equal(conf.port[0].socket, "");
	assert_string_equal(conf.port[0].name, "usvhost");
	assert_int_equal(conf.port[0].guests, 256);
	assert_int_equal(conf.node_mode, 0600);
	assert_false(conf.node_owned);
}

/* Sockets are served beside the node, or instead of it. */
static void
test_sockets(void **state)
{
	RTE_SET_USED(state);
	accept("-- --socket-file /run/a");
	assert_string_equal(conf.node, "");
	assert_int_equal(conf.nports, 1);
	accept("-- --socket-file /run/a --dev-basename other --client");
	assert_string_equal(conf.node, "other");
	assert_int_equal(conf.nports, 2);
	assert_string_equal(conf.port[1].socket, "");
	assert_string_equal(conf.port[1].name, "other");
	assert_int_equal(conf.port[1].role, ROLE_SERVER);
	assert_string_equal(conf.port[0].socket, "/run/a");
	assert_int_equal(conf.port[0].guests, 1);
	assert_int_equal(conf.port[1].guests, 256);
	/* What contrib/cuse.conf says for both. */
	accept("-- --dev-basename usvhost --socket-file usvhost");
	assert_string_equal(conf.node, "usvhost");
	assert_int_equal(conf.nports, 2);
	assert_string_equal(conf.port[0].socket, "usvhost");
	refused("-- --client", "--client", "no socket", "--socket-file");
	refused("-- --client --dev-basename x", "--client", "no socket", "--socket-file");
}

static void
test_name(void **state)
{
	static const char *const wrong[] = {
			"a/b",
			"/dev/x",
			"..",
			".",
			".hidden",
			"a!b",
			"a=b",
			"a\nb",
			"\xc3\xa4",
			"a%d",
			"a,b",
	};
	static const char file[] = "[switch]\ndev-basename = a\n";
	char *named[] = {"vhost-switch", "--", "--dev-basename", "b"};
	char line[200], name[NODE_NAME_MAX + 2];
	size_t i;

	RTE_SET_USED(state);
	accept("-- --dev-basename us_vhost-1.x");
	assert_string_equal(conf.node, "us_vhost-1.x");
	for (i = 0; i < RTE_DIM(wrong); i++) {
		snprintf(line, sizeof(line), "-- --dev-basename %s", wrong[i]);
		if (strchr(wrong[i], '\n') == NULL)
			refused(line, "--dev-basename", wrong[i], "letters, digits");
		else
			assert_int_equal(parse(line), CONF_ERROR);
	}
	refused("-- --dev-basename ''", "--dev-basename", "letters, digits", "");
	refused("-- --dev-basename a --dev-basename b", "--dev-basename", "b", "twice");
	/* The command line overrides a file. */
	assert_int_equal(conf_parse_with(&conf, RTE_DIM(named), named, file, strlen(file)),
			CONF_RUN);
	assert_string_equal(conf.node, "b");
	assert_int_equal(conf_parse_with(&conf, 2, named, file, strlen(file)), CONF_RUN);
	assert_string_equal(conf.node, "a");
	memset(name, 'n', sizeof(name));
	name[NODE_NAME_MAX] = '\0';
	snprintf(line, sizeof(line), "-- --dev-basename %s", name);
	accept(line);
	assert_string_equal(conf.node, name);
	name[NODE_NAME_MAX] = 'n';
	name[NODE_NAME_MAX + 1] = '\0';
	snprintf(line, sizeof(line), "-- --dev-basename %s", name);
	refused(line, "--dev-basename", name, "63 bytes");
}

static void
test_owner(void **state)
{
	static const char *const wrong[] = {
			"root",
			"root:",
			":root",
			":",
			"''",
			"4294967295:0",
			"0:4294967295",
			"-1:0",
			"0:-1",
			"0x1:0",
			"nobody-of-that-name:0",
			"0:nobody-of-that-name",
			"0:0:0",
			"99999999999999999999:0",
	};
	const struct passwd *user;
	const struct group *group;
	uid_t uid;
	char line[200];
	size_t i;

	RTE_SET_USED(state);
	accept("-- --dev-owner 64055:108");
	assert_true(conf.node_owned);
	assert_int_equal(conf.node_uid, 64055);
	assert_int_equal(conf.node_gid, 108);
	accept("-- --dev-owner root:root");
	assert_int_equal(conf.node_uid, 0);
	assert_int_equal(conf.node_gid, 0);
	user = getpwnam("nobody");
	assert_non_null(user);
	uid = user->pw_uid; /* the next search overwrites the result of this one */
	group = getgrgid(user->pw_gid);
	assert_non_null(group);
	snprintf(line, sizeof(line), "-- --dev-owner nobody:%s", group->gr_name);
	accept(line);
	assert_int_equal(conf.node_uid, uid);
	assert_int_equal(conf.node_gid, group->gr_gid);
	for (i = 0; i < RTE_DIM(wrong); i++) {
		snprintf(line, sizeof(line), "-- --dev-owner %s", wrong[i]);
		refused(line, "--dev-owner", wrong[i][0] == '\'' ? "" : wrong[i], "");
	}
	refused("-- --dev-owner no-such:0", "--dev-owner", "no user 'no-such'", "number");
	refused("-- --dev-owner 0:no-such", "--dev-owner", "no group 'no-such'", "number");
	refused("-- --dev-owner root", "--dev-owner", "user:group", "");
	refused("-- --dev-owner", "--dev-owner", "needs a value", "--help");
}

static void
test_mode(void **state)
{
	static const char *const wrong[] = {"8", "08", "0o660", "-1", "+1", "01000", "1777", "rw",
			"''", "0660x", "0x1", "99999999999999999999999"};
	char line[100];
	size_t i;

	RTE_SET_USED(state);
	accept("-- --dev-mode 0660");
	assert_int_equal(conf.node_mode, 0660);
	accept("-- --dev-mode 666");
	assert_int_equal(conf.node_mode, 0666);
	accept("-- --dev-mode 0");
	assert_int_equal(conf.node_mode, 0);
	accept("-- --dev-mode 0777");
	for (i = 0; i < RTE_DIM(wrong); i++) {
		snprintf(line, sizeof(line), "-- --dev-mode %s", wrong[i]);
		refused(line, "--dev-mode", wrong[i][0] == '\'' ? "" : wrong[i], "octal");
	}
	refused("-- --dev-mode", "--dev-mode", "needs a value", "--help");
}

/* Sockets beside the node, or instead of it, have owner and mode too, except those that QEMU makes. */
static void
test_no_node(void **state)
{
	RTE_SET_USED(state);
	accept("-- --socket-file a --dev-owner 0:0");
	accept("-- --socket-file a --dev-mode 0600");
	accept("-- --socket-file a --dev-basename b --dev-owner 0:0 --dev-mode 0600");
	accept("-- --client --socket-file a --dev-basename b --dev-owner 0:0");
	refused("-- --client --socket-file a --dev-owner 0:0", "--dev-owner", "connects", "QEMU");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_defaults),
			cmocka_unit_test(test_sockets),
			cmocka_unit_test(test_name),
			cmocka_unit_test(test_owner),
			cmocka_unit_test(test_mode),
			cmocka_unit_test(test_no_node),
	};

	return cmocka_run_group_tests_name("cuse_conf", tests, NULL, conf_line_end);
}
