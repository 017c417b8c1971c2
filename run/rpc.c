/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The control socket, and whose turn it is: see rpc.h for the contract. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/log.h"
#include "base/wake.h"
#include "conf/conf.h"
#include "guest/apart.h"
#include "guest/fd_drain.h"
#include "guest/socket_file.h"
#include "run/parts.h"
#include "run/rpc.h"
#include "run/rpc_call.h"
#include "run/rpc_client.h"
#include "run/rpc_events.h"

/* Events taken at a time, so that the main lcore's other work waits for few of them. */
#define EVENTS_MAX 8

/* `events` of a client that epoll does not look at. */
#define NOT_WATCHED UINT32_MAX

/* How many connections are logged in a second. */
#define LOGGED_MAX 10

struct rpc {
	struct parts *parts;
	int epoll, listener;
	char path[SOCKET_PATH_MAX];
	uint64_t serial;     /* of the last client */
	unsigned int logged; /* connections in this second */
	bool rests;          /* until the next second nobody is accepted */
	bool told;           /* the log says that nobody can be accepted */
	struct rpc_client client[RPC_CLIENTS];
};

static void
rpc_watch(struct rpc *r, struct rpc_client *c)
{
	const bool in = !c->ended && rpc_client_hears(c) && c->in_len < RPC_REQUEST_MAX;
	struct epoll_event e = {.events = (in ? EPOLLIN : 0) | (c->out_len != 0 ? EPOLLOUT : 0),
			.data.u32 = c - r->client};

	if (c->ended && c->waits) {
		/* It would be reported again and again. */
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, c->fd, NULL);
		c->events = NOT_WATCHED;
	} else if (e.events != c->events) {
		epoll_ctl(r->epoll, c->events == NOT_WATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd,
				&e);
		c->events = e.events;
	}
}

/* Ends a client. Its socket may stay open for longer. */
static void
rpc_end(const struct rpc *r, struct rpc_client *c)
{
	epoll_ctl(r->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	rpc_client_end(c);
}

/* Puts an error that concerns no request that could be read; the client is closed after it. */
static void
rpc_put_last(struct rpc_client *c, const char *error)
{
	rpc_client_put_answer(c, rpc_text(NULL, NULL, RPC_CODE_REQUEST, error));
	c->closing = true;
}

/* Handles the first line that was read, if there is a whole one. */
static void
rpc_serve_line(struct rpc *r, struct rpc_client *c)
{
	const struct rpc_ticket ticket = {.rpc = r, .client = c - r->client, .serial = c->serial};
	size_t len;
	const char *line = rpc_client_line(c, &len);
	char *text = NULL;

	if (line == NULL)
		return;
	c->waits = len != 0; /* it may get its answer while this is called */
	if (len == 0 || rpc_request(r->parts, &ticket, line, len, &text)) {
		c->waits = false;
		rpc_client_put_answer(c, text);
	}
	rpc_client_line_done(c, len);
}

/*
 * Tells a client how many events it missed, once it has taken half of what was kept for it: else there would be room
 * for such lines alone. Returns false if it is too early.
 */
static bool
rpc_put_lost(struct rpc_client *c)
{
	char lost[160];

	if (c->lost == 0)
		return true;
	snprintf(lost, sizeof(lost), RPC_EVENTS_LOST, c->lost);
	if (!rpc_client_put(c, lost, RPC_UNREAD_MAX / 2))
		return false;
	c->lost = 0;
	return true;
}

/* Reads, handles one request, and writes. */
static void
rpc_serve(struct rpc *r, struct rpc_client *c, uint32_t events)
{
	bool pending;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !c->ended &&
			!rpc_client_fill(c, events & (EPOLLHUP | EPOLLERR))) {
		rpc_end(r, c);
		return;
	}
	if (rpc_client_hears(c) && c->looked < c->in_len)
		rpc_serve_line(r, c);
	if (rpc_client_hears(c) && c->in_len == RPC_REQUEST_MAX)
		rpc_put_last(c, "request: longer than " RTE_STR(RPC_REQUEST_MAX) " bytes");
	/* There may be another request in what was read. Others have their turn first. */
	pending = c->looked < c->in_len;
	if (!rpc_client_flush(c) || (c->closing && c->out_len == 0) ||
			(c->ended && !pending && !c->waits && c->out_len == 0)) {
		rpc_end(r, c);
		return;
	}
	/* The next event may be long in coming. */
	if (!c->closing)
		rpc_put_lost(c);
	rpc_watch(r, c);
	if (pending && rpc_client_hears(c))
		wake_up(r->parts->wake);
}

static void
rpc_log_client(struct rpc *r, int fd)
{
	struct ucred peer = {.pid = -1};
	socklen_t len = sizeof(peer);

	if (r->logged++ < LOGGED_MAX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		say(DEBUG, "control socket: process %d, user %u\n", peer.pid, peer.uid);
}

/*
 * Accepts nobody until the next second: there is no file descriptor or memory for one more client, and as
 * long as it waits, epoll would report the listener again and again.
 */
static void
rpc_rest(struct rpc *r, int why)
{
	if (!r->told)
		say(NOTICE, "control socket: further clients wait: %s; tries again every second\n",
				strerror(why));
	r->told = true;
	r->rests = epoll_ctl(r->epoll, EPOLL_CTL_DEL, r->listener, NULL) == 0;
}

static bool
rpc_listens(const struct rpc *r)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = RPC_CLIENTS};

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &e) == 0;
}

static void
rpc_accept(struct rpc *r)
{
	static const char full[] =
			"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":3,\"message\":\"too many clients: "
			"at most " RTE_STR(RPC_CLIENTS) " at a time; try again\"},\"id\":null}\n";
	struct epoll_event e = {.events = EPOLLIN};
	struct rpc_client *c = r->client;
	int fd = -1;

	if (apart_accepts(RPC_CLIENT_NAME))
		fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	else
		errno = EMFILE; /* files that clients sent can't be closed */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		rpc_rest(r, errno);
	if (fd < 0)
		return;
	r->told = false;
	while (c < r->client + RPC_CLIENTS && c->fd >= 0)
		c++;
	e.data.u32 = c - r->client;
	if (c == r->client + RPC_CLIENTS) {
		send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		fd_drain_close(fd, RPC_CLIENT_NAME);
	} else if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
		fd_drain_close(fd, RPC_CLIENT_NAME);
	} else {
		fd_inbox_begin(fd);
		*c = (struct rpc_client){.fd = fd, .serial = ++r->serial, .events = EPOLLIN};
		rpc_log_client(r, fd);
	}
}

void
rpc_answer(struct rpc_ticket *ticket, json_t *result, int code, const char *error)
{
	struct rpc_client *c = &ticket->rpc->client[ticket->client];

	if (c->fd < 0 || c->serial != ticket->serial) {
		json_decref(result);
	} else {
		c->waits = false;
		if (ticket->id != NULL)
			rpc_client_put_answer(c, rpc_text(ticket->id, result, code, error));
		else
			json_decref(result);
		wake_up(ticket->rpc->parts->wake);
	}
	json_decref(ticket->id);
	ticket->id = NULL;
}

void
rpc_subscribe(const struct rpc_ticket *ticket)
{
	ticket->rpc->client[ticket->client].subscribed = true;
}

void
rpc_tell(struct rpc *r, json_t *event)
{
	char *text = NULL;
	struct rpc_client *c;

	for (c = r->client; c < r->client + RPC_CLIENTS; c++) {
		if (c->fd < 0 || !c->subscribed)
			continue;
		if (text == NULL)
			text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);
		if (text == NULL)
			break;
		c->lost += !rpc_put_lost(c) || !rpc_client_put(c, text, RPC_UNREAD_MAX);
		rpc_watch(r, c);
	}
	free(text);
	json_decref(event);
}

bool
rpc_has_listeners(const struct rpc *r)
{
	const struct rpc_client *c;

	for (c = r != NULL ? r->client : NULL; c != NULL && c < r->client + RPC_CLIENTS; c++)
		if (c->fd >= 0 && c->subscribed)
			return true;
	return false;
}

void
rpc_work(struct rpc *r)
{
	struct epoll_event e[EVENTS_MAX];
	struct rpc_client *c;
	int i, n;

	if (r == NULL)
		return;
	n = epoll_wait(r->epoll, e, EVENTS_MAX, 0);
	for (i = 0; i < n; i++) {
		if (e[i].data.u32 == RPC_CLIENTS)
			rpc_accept(r);
		else if (r->client[e[i].data.u32].fd >= 0)
			rpc_serve(r, &r->client[e[i].data.u32], e[i].events);
	}
	for (c = r->client; c < r->client + RPC_CLIENTS; c++)
		if (c->fd >= 0 &&
				(c->out_len != 0 || (c->ended && !c->waits) ||
						(rpc_client_hears(c) && c->looked < c->in_len)))
			rpc_serve(r, c, 0);
}

void
rpc_tick(struct rpc *r)
{
	struct rpc_client *c;

	if (r == NULL)
		return;
	r->logged = 0;
	if (r->rests && rpc_listens(r))
		r->rests = false;
	for (c = r->client; c < r->client + RPC_CLIENTS; c++) {
		if (c->fd < 0 || c->out_len < RPC_UNREAD_MAX / 2 || ++c->slow < RPC_PATIENCE)
			continue;
		say(NOTICE,
				"control socket: a client that does not read its answers is "
				"disconnected\n");
		rpc_end(r, c);
	}
}

/*
 * Who may connect controls everything, so this is no group of guests. The switch's own group may be theirs: the
 * service makes the guests' sockets with it.
 */
#define RPC_GROUP "vhost-switch-admin"

/* The socket's owner, and tools of the group where there is one, may connect. */
static void
rpc_give_to_group(const char *path)
{
	const struct group *g = getgrnam(RPC_GROUP);
	char why[RPC_ERROR_MAX] = "";
	struct listener before;

	if (g == NULL)
		return;
	/* The switch does without, so that is no error. */
	before = say_error_to((struct listener){why, sizeof(why)});
	if (socket_file_give(path, geteuid(), g->gr_gid))
		socket_file_set_mode(path, 0660);
	say_error_to(before);
	if (why[0] != '\0')
		say(WARNING, "the group " RPC_GROUP " can't use the control socket: %s\n", why);
}

/* Binds and listens. Returns false, after an error was printed, if that fails. */
static bool
rpc_listen(struct rpc *r)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	mode_t before;
	int rc;

	if (!socket_file_make_way(r->path))
		return false;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	strcpy(un.sun_path, r->path); /* of SOCKET_PATH_MAX bytes, as that one is */
	before = umask(0177);
	rc = bind(r->listener, (const struct sockaddr *)&un, sizeof(un));
	umask(before);
	if (rc == 0) {
		rpc_give_to_group(r->path);
		if (listen(r->listener, SOMAXCONN) == 0 && rpc_listens(r))
			return true;
		unlink(r->path);
	}
	say_error("--control %s: %s; is its folder there, and writable?", r->path, strerror(errno));
	return false;
}

/* Writes the path that is wanted. Returns false if it is too long for a socket. */
static bool
rpc_find_path(const struct conf *c, char path[SOCKET_PATH_MAX])
{
	int len = c->control[0] != '\0'
			? snprintf(path, SOCKET_PATH_MAX, "%s", c->control)
			: snprintf(path, SOCKET_PATH_MAX, "%s/control", rte_eal_get_runtime_dir());

	return len < SOCKET_PATH_MAX;
}

static void
rpc_free(struct rpc *r)
{
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->listener >= 0)
		close(r->listener);
	free(r);
}

/*
 * Says that there is no socket at the default path. Of the error only the cause is repeated: its remedies are for who
 * has chosen the path, and this one has a remedy of its own.
 */
static void
rpc_say_none(char *why)
{
	char *remedy = strrchr(why, ';');

	if (remedy != NULL)
		*remedy = '\0';
	say(WARNING, "no control socket: %s: choose another path by --control\n",
			why[0] != '\0' ? why : "its path is too long");
}

bool
rpc_open(struct rpc **rpc, struct parts *parts)
{
	const bool asked = parts->conf->control[0] != '\0';
	char why[RPC_ERROR_MAX];
	struct rpc *r;
	unsigned int i;
	bool ok;

	*rpc = NULL;
	if (strcmp(parts->conf->control, "none") == 0)
		return true;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		say_error("no memory for the control socket");
		return false;
	}
	*r = (struct rpc){.parts = parts, .epoll = -1, .listener = -1};
	for (i = 0; i < RPC_CLIENTS; i++)
		r->client[i].fd = -1;
	say_error_into(asked ? NULL : why, sizeof(why));
	ok = rpc_find_path(parts->conf, r->path) && rpc_listen(r);
	say_error_into(NULL, 0);
	if (ok) {
		*rpc = r;
		return true;
	}
	if (!asked)
		rpc_say_none(why);
	rpc_free(r);
	return !asked;
}

void
rpc_close(struct rpc *r)
{
	struct rpc_client *c;

	if (r == NULL)
		return;
	for (c = r->client; c < r->client + RPC_CLIENTS; c++) {
		if (c->fd < 0)
			continue;
		rpc_client_flush(c);
		rpc_end(r, c);
	}
	unlink(r->path);
	rpc_free(r);
}

int
rpc_fd(const struct rpc *r)
{
	return r != NULL ? r->epoll : -1;
}
