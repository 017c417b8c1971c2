/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The connection that a session makes: none is left, many are made at once, the back end lies or says nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vhost.h>

#include <rte_common.h>
#include <rte_vhost.h>

#include "client.h"
#include "base/atomic.h"
#include "guest/cuse/session.h"
#include "guest/message.h"
#include "unit.h"
#include "vhost_end.h"

/* A session whose client is this process. */
struct line {
	struct session session;
	unsigned int files; /* open here before the session was */
};

static int
setup(void **state)
{
	struct line *b = unit_zalloc(sizeof(*b));

	b->files = client_open_files();
	session_init(&b->session, vhost_end.path);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct line *b = *state;

	session_close(&b->session);
	vhost_end_wait_connections(0);
	vhost_end_wait_files(b->files);
	free(b);
	return 0;
}

static int
simple(struct line *b, unsigned int cmd)
{
	return session_ioctl(&b->session, getpid(), cmd, NULL, NULL);
}

static void
test_no_device_left(void **state)
{
	struct line *b = *state;
	uint64_t features;

	store_release(&vhost_end.refuse, true);
	assert_int_equal(simple(b, VHOST_SET_OWNER), -EBUSY);
	assert_int_equal(session_ioctl(&b->session, getpid(), VHOST_GET_FEATURES, NULL, &features),
			-EBUSY);
	store_release(&vhost_end.refuse, false);
	/* Once there is one, it goes on. */
	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
}

static void
test_many(void **state)
{
	struct session many[100];
	unsigned int i, before = client_open_files();

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(many); i++) {
		session_init(&many[i], vhost_end.path);
		assert_int_equal(session_ioctl(&many[i], getpid(), VHOST_SET_OWNER, NULL, NULL), 0);
	}
	vhost_end_wait_connections(RTE_DIM(many));
	for (i = 0; i < RTE_DIM(many); i++)
		session_close(&many[i]);
	vhost_end_wait_connections(0);
	vhost_end_wait_files(before);
}

#define PATIENCE 2 /* seconds */

/* A back end that lies: it answers every question with the same bytes. */
struct liar {
	int listener;
	const void *answer;
	size_t len;
	pthread_t thread;
	char path[64];
};

static void *
lie(void *arg)
{
	struct liar *l = arg;
	int s = accept(l->listener, NULL, NULL);
	char request[64];

	/* It answers until the front end hangs up. */
	while (read(s, request, sizeof(request)) > 0)
		if (l->len > 0 && write(s, l->answer, l->len) < 0)
			break;
	close(s);
	return NULL;
}

static int
ask_liar(struct line *b, const void *answer, size_t len)
{
	struct liar l = {.answer = answer, .len = len};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int rc;

	snprintf(l.path, sizeof(l.path), "%s/liar", vhost_end.folder);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", l.path);
	l.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(l.listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(l.listener, 1), 0);
	assert_int_equal(pthread_create(&l.thread, NULL, lie, &l), 0);
	session_init(&b->session, l.path);
	b->session.patience = PATIENCE;
	rc = simple(b, VHOST_SET_OWNER);
	session_close(&b->session);
	pthread_join(l.thread, NULL);
	close(l.listener);
	assert_int_equal(unlink(l.path), 0);
	return rc;
}

static void
test_wrong_answers(void **state)
{
	const uint64_t protocol = 1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
	struct message m =
				       {
						       .request = MSG_GET_FEATURES,
						       .flags = MSG_VERSION | MSG_REPLY,
						       .size = 8,
						       .payload.u64 = protocol,
				       },
		       other;

	/* The right answer to the first question, and to no other one. */
	assert_int_equal(ask_liar(*state, &m, MSG_HEADER + 8), -EBUSY);
	other = m;
	other.payload.u64 = 0;
	assert_int_equal(ask_liar(*state, &other, MSG_HEADER + 8), -EPROTO);
	other = m;
	other.request = MSG_SET_OWNER;
	assert_int_equal(ask_liar(*state, &other, MSG_HEADER + 8), -EBUSY);
	other = m;
	other.flags = MSG_VERSION;
	assert_int_equal(ask_liar(*state, &other, MSG_HEADER + 8), -EBUSY);
	other = m;
	other.size = 0x7fffffff;
	assert_int_equal(ask_liar(*state, &other, MSG_HEADER + 8), -EBUSY);
}

/* Half an answer: the session gives up after a while, as others wait. */
static void
test_no_answer(void **state)
{
	const struct message m = {.request = MSG_GET_FEATURES};
	time_t begin = time(NULL);

	assert_int_equal(ask_liar(*state, &m, 5), -EBUSY);
	assert_true(time(NULL) - begin >= PATIENCE - 1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
			TEST(test_no_device_left),
			TEST(test_many),
			TEST(test_wrong_answers),
			TEST(test_no_answer),
	};

	return cmocka_run_group_tests_name(
			"cuse_connect", tests, vhost_end_setup, vhost_end_teardown);
}
