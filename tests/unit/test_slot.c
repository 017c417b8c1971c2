/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Which slot a guest gets: whoever comes first, a port's first guest has the port's own slot. */
#include <unistd.h>

#include <rte_common.h>

#include "conf/conf_parse.h"
#include "guest/slot.h"
#include "conf/conf.h"
#include "switch/port.h"
#include "unit.h"

/* What a slot is chosen by. */
static struct places {
	struct conf conf;
	struct ports ports;
} * all;

static int
teardown(void **state)
{
	RTE_SET_USED(state);
	free(all);
	return 0;
}

/* A switch with the ports of a command line, words between blanks. */
static void
make(const char *line)
{
	char copy[8192], *word[1024] = {"vhost-switch", "--"}, *next, *save = NULL;
	unsigned int n = 2;

	all = unit_zalloc(sizeof(*all));
	assert_true(snprintf(copy, sizeof(copy), "%s", line) < (int)sizeof(copy));
	for (next = strtok_r(copy, " ", &save); next != NULL; next = strtok_r(NULL, " ", &save))
		word[n++] = next;
	assert_int_equal(conf_parse(&all->conf, n, word), CONF_RUN);
}

/* One more guest of a socket is device `slot`, with that tag and name. */
static void
expect(const char *socket, uint16_t slot, uint16_t tag, const char *name)
{
	uint16_t is = slot_take(&all->ports, &all->conf, slot_conf_port(&all->conf, socket));
	char buf[SLOT_NAME_MAX];

	assert_int_equal(is, slot);
	assert_int_equal(all->ports.port[is].state, PORT_USED);
	assert_int_equal(all->ports.port[is].vlan, tag);
	assert_string_equal(slot_name(&all->ports, is, buf), name);
	assert_true(all->ports.n > slot);
}

static void
refused(const char *socket, const char *word1, const char *word2)
{
	struct capture cap;
	uint16_t is;
	char *err;

	capture_begin(&cap, STDERR_FILENO);
	is = slot_take(&all->ports, &all->conf, slot_conf_port(&all->conf, socket));
	err = capture_end(&cap);
	assert_int_equal(is, SLOT_NONE);
	if (strstr(err, word1) == NULL || strstr(err, word2) == NULL)
		fail_msg("%s\nsays not: %s, %s", err, word1, word2);
	free(err);
}

/* Two sockets, and the order in which their guests come. */
static void
test_order(void **state)
{
	RTE_SET_USED(state);
	make("--socket-file a --socket-file b");
	expect("b", 1, 1001, "b.0");
	expect("a", 0, 1000, "a.0");
	expect("b", 2, 1002, "b.1");
	expect("a", 3, 1003, "a.1");
	/* They go, and come in the other order. */
	all->ports.port[0].state = all->ports.port[1].state = all->ports.port[3].state = PORT_FREE;
	expect("a", 0, 1000, "a.0");
	expect("b", 1, 1001, "b.0");
	expect("a", 3, 1003, "a.1");
}

/* One socket for all: the lowest number that is free, as ever. */
static void
test_one_socket(void **state)
{
	unsigned int i;
	char name[16];

	RTE_SET_USED(state);
	make("--dev-basename usvhost");
	for (i = 0; i < GUEST_MAX; i++) {
		snprintf(name, sizeof(name), "usvhost.%u", i);
		expect("./usvhost", i, 1000 + i, name);
	}
	refused("./usvhost", "port usvhost", "has 256");
	all->ports.port[7].state = PORT_FREE;
	expect("./usvhost", 7, 1007, "usvhost.7");
}

static void
test_limits(void **state)
{
	unsigned int i;

	RTE_SET_USED(state);
	make("--socket-file a --port vm1,socket=b --dev-basename c");
	for (i = 0; i < 64; i++)
		assert_int_not_equal(slot_take(&all->ports, &all->conf, 0), SLOT_NONE);
	refused("a", "port a", "has 64");
	for (i = 0; i < GUEST_MAX - 64 - 2; i++)
		assert_int_not_equal(slot_take(&all->ports, &all->conf, 2), SLOT_NONE);
	/* Only the port's own slot is left, which is kept for it. */
	assert_int_not_equal(slot_take(&all->ports, &all->conf, 2), SLOT_NONE);
	refused("./c", "port c", "kept for other ports");
	expect("b", 1, 1001, "vm1");
	refused("b", "port vm1", "guests=");
}

/* A port with its own tag, for one guest or several; no other device gets that tag by its number. */
static void
test_tags(void **state)
{
	RTE_SET_USED(state);
	make("--port a,socket=a,vlan=10 --port b,socket=b,vlan=20,guests=3 --socket-file c "
	     "--port d,socket=d,vlan=1004");
	expect("b", 1, 20, "b.0");
	expect("b", 4, 20, "b.1"); /* nobody else may be there: its tag is d's */
	expect("c", 2, 1002, "c.0");
	expect("c", 5, 1005, "c.1");
	all->ports.port[4].state = PORT_FREE;
	expect("c", 6, 1006, "c.2");
	expect("b", 4, 20, "b.1");
	expect("a", 0, 10, "a");
	expect("d", 3, 1004, "d");
}

static void
test_tag_past_last(void **state)
{
	RTE_SET_USED(state);
	make("--vlan-base 4094 --socket-file a --socket-file b --port c,socket=c,vlan=7");
	expect("a", 0, 4094, "a.0");
	refused("b", "port b", "--vlan-base");
	refused("a", "port a", "--vlan-base");
	expect("c", 2, 7, "c");
}

/* A guest that has just left keeps its slot until the main lcore has cleared it. */
static void
test_leaving(void **state)
{
	RTE_SET_USED(state);
	make("--port a,socket=a --socket-file b");
	expect("a", 0, 1000, "a");
	all->ports.port[0].state = PORT_LEAVING;
	refused("a", "port a", "just leaving");
	expect("b", 1, 1001, "b.0");
	all->ports.port[1].state = PORT_LEAVING;
	expect("b", 2, 1002, "b.1");
	all->ports.port[1].state = all->ports.port[0].state = PORT_FREE;
	expect("a", 0, 1000, "a");
	expect("b", 1, 1001, "b.0");
}

/* A port that is being removed takes no more guests, and they are not the nameless socket's. */
static void
test_going(void **state)
{
	RTE_SET_USED(state);
	make("--port a,socket=/a --port node,socket=/b");
	all->conf.port[1].socket[0] = '\0';
	assert_int_equal(slot_conf_port(&all->conf, "/a"), 0);
	assert_int_equal(slot_conf_port(&all->conf, "/other"), 1);
	all->conf.port[0].going = true;
	assert_int_equal(slot_conf_port(&all->conf, "/a"), SOCKET_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_teardown(test_order, teardown),
			cmocka_unit_test_teardown(test_going, teardown),
			cmocka_unit_test_teardown(test_one_socket, teardown),
			cmocka_unit_test_teardown(test_limits, teardown),
			cmocka_unit_test_teardown(test_tags, teardown),
			cmocka_unit_test_teardown(test_tag_past_last, teardown),
			cmocka_unit_test_teardown(test_leaving, teardown),
	};

	return cmocka_run_group_tests_name("slot", tests, unit_eal, unit_eal_end);
}
