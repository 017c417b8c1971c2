/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a change of ports comes to: whose socket is made or removed when, and the settings on the way. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "conf/conf_option.h"
#include "conf/conf_parse.h"
#include "conf/conf_port.h"
#include "run/parts.h"
#include "run/plan.h"
#include "switch/port.h"
#include "unit.h"

/* Indexes of ports: A is removed, B is made again, C takes A's path, and D is new. E only has another tag. */
enum { A, B, E, C, D };

static int
setup(void **state)
{
	struct plan *p = unit_zalloc(sizeof(*p));

	assert_true(plan_begin(p));
	conf_defaults(p->before);
	assert_true(conf_port_add(p->before, "a,socket=/a"));
	assert_true(conf_port_add(p->before, "b,socket=/b"));
	assert_true(conf_port_add(p->before, "e,socket=/e"));
	conf_defaults(p->next);
	assert_true(conf_port_add(p->next, "c,socket=/a"));
	assert_true(conf_port_add(p->next, "d,socket=/d"));
	assert_true(conf_port_add(p->next, "e,socket=/e,vlan=7"));
	assert_true(conf_port_add(p->next, "b,socket=/b,mtu=1400"));
	assert_true(conf_resolve(p->before));
	assert_true(conf_assign_indexes(p->next, p->before, NULL, NULL) && conf_resolve(p->next));
	assert_true(plan_compare(p));
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	plan_end(*state);
	free(*state);
	return 0;
}

static void
test_whose_socket_when(void **state)
{
	static const struct {
		bool removed, before, after;
	} want[] = {[A] = {.removed = true},
			[B] = {.removed = true, .after = true},
			[C] = {.after = true},
			[D] = {.before = true},
			[E] = {.removed = false}};
	const struct plan *p = *state;
	unsigned int i;

	for (i = 0; i < RTE_DIM(want); i++) {
		assert_int_equal(plan_removes(p, i), want[i].removed);
		assert_int_equal(plan_serves(p, i, false), want[i].before);
		assert_int_equal(plan_serves(p, i, true), want[i].after);
	}
}

/* Ports that go keep their former settings until they are gone; others have theirs from the start. */
static void
test_between(void **state)
{
	struct plan *p = *state;
	struct conf *mid = plan_between(p, true);

	assert_non_null(mid);
	assert_string_equal(mid->port[A].name, "a");
	assert_true(mid->port[A].going);
	assert_true(mid->port[B].going);
	assert_int_equal(mid->port[B].mtu, p->before->port[B].mtu);
	assert_false(conf_port_used(&mid->port[C]));
	assert_string_equal(mid->port[D].name, "d");
	assert_false(mid->port[D].going);
	assert_int_equal(mid->port[E].vlan, 7);
	free(mid);
}

/* Who comes in the middle gets no tag that a port has before or after it, and is not one too many for either. */
static void
test_kept_free_between(void **state)
{
	struct plan *p = *state;
	struct conf *mid;

	p->before->vlan_base = p->next->vlan_base = 1000;
	p->before->port[A].vlan_given = p->next->port[B].vlan_given = true;
	p->before->port[A].vlan = 1020;
	p->next->port[B].vlan = 1021;
	p->before->port[E].guests = 1;
	p->next->port[E].guests = 4;
	mid = plan_between(p, false);
	assert_non_null(mid);
	assert_int_equal(conf_tag_owner(mid, 1020), A);
	assert_int_equal(conf_tag_owner(mid, 1021), TAG_NOBODY);
	assert_int_equal(conf_tag_owner(mid, 1022), 22);
	assert_int_equal(mid->port[E].guests, 1);
	free(mid);
}

static void
test_who_has_to_connect_again(void **state)
{
	char *names = plan_reconnects(*state);

	assert_string_equal(names, "b\n");
	free(names);
}

/* A socket that could not be made is tried again, though nothing about it has changed. */
static void
test_down(void **state)
{
	struct plan *p = *state;

	p->next->port[E] = p->before->port[E];
	assert_true(plan_compare(p));
	assert_false(plan_removes(p, E));
	p->down[A] = p->down[E] = p->down[SOCKET_MAX - 1] = true;
	assert_true(plan_compare(p));
	assert_int_equal(p->kind[A], CHANGE_REMOVE);
	assert_int_equal(p->kind[SOCKET_MAX - 1], CHANGE_NONE); /* no port */
	assert_true(plan_removes(p, E) && plan_serves(p, E, true));
}

/* A port without a socket is the device of the cuse back end: nothing may be done to it that needs a socket. */
static void
test_device_stays(void **state)
{
	struct plan *p = *state;

	p->before->port[E].socket[0] = p->next->port[E].socket[0] = '\0';
	assert_true(plan_compare(p)); /* its tag changes */
	p->next->port[E].mtu = 1400;
	assert_false(plan_compare(p));
	p->next->port[E] = p->before->port[E];
	p->next->port[E].mode_given = true;
	p->next->port[E].mode = 0600;
	assert_false(plan_compare(p));
	p->next->port[E] = (struct conf_port){.vlan = 0};
	assert_false(plan_compare(p));
	p->next->port[E] = p->before->port[E];
	p->before->port[E] = (struct conf_port){.vlan = 0};
	assert_false(plan_compare(p));
}

static struct ports ports;

/* One guest, of a port, is in a slot. */
static struct parts
with_guest(const struct plan *p, unsigned int port, unsigned int slot)
{
	memset(&ports, 0, sizeof(ports));
	ports.port[slot].settings = &p->before->port[port];
	ports.port[slot].state = PORT_USED;
	ports.n = slot + 1;
	return (struct parts){.conf = p->before, .ports = &ports};
}

/* A port that loses vlan= gets the tag of its slot, of which there may be none. */
static void
test_tag_past_the_last(void **state)
{
	struct plan *p = *state;
	const struct parts parts = with_guest(p, E, E);

	p->before->port[E].vlan_given = true;
	p->next->port[E].vlan_given = false;
	p->next->vlan_base = VLAN_LAST - E;
	assert_true(plan_leaves_tags(p, &parts));
	p->next->vlan_base++;
	assert_false(plan_leaves_tags(p, &parts));
	with_guest(p, E, E + 9);
	assert_false(plan_leaves_tags(p, &parts));
	p->next->port[E].vlan_given = true;
	assert_true(plan_leaves_tags(p, &parts));
}

/* vlan= of a port with one guest is the tag of the port's own slot. */
static void
test_guest_in_a_further_slot(void **state)
{
	struct plan *p = *state;
	const struct parts parts = with_guest(p, E, E + 9);

	p->before->port[E].guests = p->next->port[E].guests = 1;
	assert_false(plan_leaves_guests(p, &parts));
	p->next->port[E].guests = p->before->port[E].guests = 2;
	assert_true(plan_leaves_guests(p, &parts));
	p->next->port[E].guests = 1;
	assert_false(plan_leaves_guests(p, &parts));
	with_guest(p, E, E);
	assert_true(plan_leaves_guests(p, &parts));
}

static void
test_slot_of_a_new_port(void **state)
{
	struct plan *p = *state;
	const struct parts parts = with_guest(p, E, E);

	assert_true(plan_leaves_slots(p, &parts));
	with_guest(p, E, D);
	assert_false(plan_leaves_slots(p, &parts));
}

/* A change that is taken back waits for guests of ports that it made. */
static void
test_cleared(void **state)
{
	struct plan *p = *state;
	const struct parts parts = with_guest(p, D, D);

	assert_true(plan_is_cleared(p, &parts, false));
	assert_false(plan_is_cleared(p, &parts, true));
	ports.port[D].state = PORT_LEAVING;
	assert_false(plan_is_cleared(p, &parts, true));
	ports.port[D].state = PORT_FREE;
	assert_true(plan_is_cleared(p, &parts, true));
	with_guest(p, A, A);
	assert_false(plan_is_cleared(p, &parts, false));
	assert_true(plan_is_cleared(p, &parts, true));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_whose_socket_when),
			TEST(test_between),
			TEST(test_kept_free_between),
			TEST(test_who_has_to_connect_again),
			TEST(test_down),
			TEST(test_device_stays),
			TEST(test_tag_past_the_last),
			TEST(test_guest_in_a_further_slot),
			TEST(test_slot_of_a_new_port),
			TEST(test_cleared),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
