/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The steps of a change of ports when a guest stands in the way. Here nobody serves sockets, and no worker uses
 * settings: what is asked of these is written down, and what the test says is answered (--wrap, see unit.mk).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_option.h"
#include "conf/conf_parse.h"
#include "conf/conf_port.h"
#include "guest/registrar.h"
#include "guest/vhost_user.h"
#include "run/addresses.h"
#include "run/change.h"
#include "run/parts.h"
#include "run/settings.h"
#include "switch/port.h"
#include "unit.h"

/* Indexes of ports: A is there at first, and B is added. */
enum { A, B };

static struct ports ports;
static struct conf given, present;
static struct parts parts;
static struct changes *changes;

#define NEVER UINT_MAX

static char steps[256];        /* what was asked for */
static unsigned int published; /* how often settings were to be */
static unsigned int held_at;   /* the one that can't be, for the moment */
static bool guest_takes_slot;  /* of B, just before settings are published */
static bool guest_connects;    /* to B, as soon as it has a socket */
static const char *no_socket;  /* the port whose socket can't be made */
static struct job *jobs;       /* done, and not yet taken back */

static struct change_result result;
static unsigned int results;
static char error[512];

static void
note(const char *format, const char *name)
{
	size_t len = strlen(steps);

	snprintf(steps + len, sizeof(steps) - len, format, name);
}

static void
put_guest(unsigned int slot, unsigned int port)
{
	ports.port[slot].settings = &present.port[port];
	ports.port[slot].state = PORT_USED;
	ports.n = RTE_MAX(ports.n, slot + 1);
}

struct registrar *__wrap_registrar_start(struct guests *all, struct wake *wake);
void __wrap_registrar_stop(struct registrar *r);
void __wrap_registrar_give(struct registrar *r, struct job *j);
struct job *__wrap_registrar_take(struct registrar *r);
bool
__wrap_settings_publish(struct settings *s, const struct conf *next, guests_may may, void *arg);
void __wrap_addresses_commit(const struct parts *p);

struct registrar *
__wrap_registrar_start(struct guests *all, struct wake *wake)
{
	RTE_SET_USED(all);
	RTE_SET_USED(wake);
	return (struct registrar *)&jobs;
}

void
__wrap_registrar_stop(struct registrar *r)
{
	RTE_SET_USED(r);
}

void
__wrap_registrar_give(struct registrar *r, struct job *j)
{
	RTE_SET_USED(r);
	note(j->serve ? " +%s" : " -%s", j->port.name);
	j->ok = !j->serve || no_socket == NULL || strcmp(no_socket, j->port.name) != 0;
	snprintf(j->error, sizeof(j->error), "%s", j->ok ? "" : "no socket");
	j->next = jobs;
	jobs = j;
	if (guest_connects && j->serve && j->index == B)
		put_guest(B, B);
}

struct job *
__wrap_registrar_take(struct registrar *r)
{
	struct job *j = jobs;

	RTE_SET_USED(r);
	if (j != NULL)
		jobs = j->next;
	return j;
}

bool
__wrap_settings_publish(struct settings *s, const struct conf *next, guests_may may, void *arg)
{
	RTE_SET_USED(s);
	if (published++ == held_at) {
		note("%s", " held");
		return false;
	}
	if (guest_takes_slot)
		put_guest(B, A);
	if (may != NULL && !may(arg)) {
		note("%s", " no");
		return false;
	}
	note("%s", " publish");
	present = *next;
	return true;
}

void
__wrap_addresses_commit(const struct parts *p)
{
	RTE_SET_USED(p);
}

static void
on_done(void *arg, const struct change_result *r)
{
	RTE_SET_USED(arg);
	result = *r;
	snprintf(error, sizeof(error), "%s", r->error);
	results++;
}

static int
setup(void **state)
{
	RTE_SET_USED(state);
	memset(&ports, 0, sizeof(ports));
	conf_defaults(&given);
	assert_true(conf_port_add(&given, "a,socket=/a,guests=2"));
	present = given;
	assert_true(conf_resolve(&present));
	parts = (struct parts){.conf = &present, .ports = &ports};
	steps[0] = error[0] = '\0';
	published = results = 0;
	held_at = NEVER;
	guest_takes_slot = guest_connects = false;
	no_socket = NULL;
	jobs = NULL;
	changes = changes_create(&parts, &given, 0, NULL);
	return changes != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	RTE_SET_USED(state);
	changes_stop(changes);
	changes_destroy(changes);
	return 0;
}

/* Proposes ports, of which there is one at least. */
static void
propose(const char *one, const char *other)
{
	struct conf *draft = changes_draft(changes);

	assert_non_null(draft);
	assert_true(conf_port_add(draft, one));
	assert_true(other == NULL || conf_port_add(draft, other));
	changes_propose(changes, draft, false, on_done, NULL);
}

static void
test_added(void **state)
{
	RTE_SET_USED(state);
	propose("b,socket=/b", NULL);
	assert_string_equal(steps, " publish +b publish publish");
	assert_int_equal(results, 1);
	assert_true(result.ok);
	assert_true(conf_port_used(&present.port[B]) && conf_port_used(&given.port[B]));
}

/* Nothing has been done yet when a guest is held up: whoever asks may try again. */
static void
test_held_at_first(void **state)
{
	RTE_SET_USED(state);
	held_at = 0;
	propose("b,socket=/b", NULL);
	assert_string_equal(steps, " held");
	assert_int_equal(results, 1);
	assert_true(!result.ok && result.busy);
	assert_false(changes_busy(changes));
}

/* To take back what was done would need the same lock: so the change waits, and goes on. */
static void
test_held_in_the_middle(void **state)
{
	RTE_SET_USED(state);
	held_at = 1;
	propose("b,socket=/b", NULL);
	assert_string_equal(steps, " publish +b held");
	assert_int_equal(results, 0);
	changes_work(changes);
	assert_string_equal(steps, " publish +b held publish publish");
	assert_int_equal(results, 1);
	assert_true(result.ok);
}

/* A guest that comes after the check has the slot of the new port. */
static void
test_slot_is_taken(void **state)
{
	RTE_SET_USED(state);
	guest_takes_slot = true;
	propose("b,socket=/b", NULL);
	assert_string_equal(steps, " no");
	assert_int_equal(results, 1);
	assert_true(!result.ok && result.busy);
	assert_string_equal(
			error, "port b: another port's guest has just taken its slot: try again");
	assert_false(conf_port_used(&present.port[B]) || conf_port_used(&given.port[B]));
	assert_false(changes_busy(changes));
}

/* The settings of a port that is taken back stay until no guest has them. */
static void
test_undone_after_its_guest(void **state)
{
	RTE_SET_USED(state);
	no_socket = "c";
	guest_connects = true;
	propose("b,socket=/b", "c,socket=/c");
	assert_string_equal(steps, " publish +b +c -b");
	assert_int_equal(results, 0);
	ports.port[B].state = PORT_FREE;
	changes_work(changes);
	assert_string_equal(steps, " publish +b +c -b publish");
	assert_int_equal(results, 1);
	assert_false(result.ok);
	assert_string_equal(error, "port c: no socket");
	assert_false(conf_port_used(&present.port[B]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_added),
			TEST(test_held_at_first),
			TEST(test_held_in_the_middle),
			TEST(test_slot_is_taken),
			TEST(test_undone_after_its_guest),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
