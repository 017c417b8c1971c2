/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* One open of the node: see session.h for the contract. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/vhost.h>

#include <rte_vhost.h>

#include "guest/cuse/remedy.h"
#include "guest/cuse/session.h"
#include "guest/cuse/caller.h"
#include "guest/cuse/front.h"
#include "guest/fds.h"
#include "guest/apart.h"
#include "guest/fd_gate.h"
#include "guest/message.h"
#include "base/log.h"
#include "frame/offload.h"

/* Lines that are logged about one open of the node, whose client might cause one with each ioctl. */
#define COMPLAINTS_MAX 8

/* All clients are of one node. */
#define SESSION_FILES "cuse"

static void
session_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
session_forget_event(struct session_event *e)
{
	session_close_fd(&e->fd);
	e->state = PART_UNSET;
}

static void
session_forget_rings(struct session *s)
{
	struct session_ring *r;

	for (r = s->ring; r < s->ring + IOCTL_RINGS; r++) {
		session_forget_event(&r->call);
		session_forget_event(&r->kick);
		r->addr_state = PART_UNSET;
		r->enabled = false;
	}
}

void
session_init(struct session *s, const char *path)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->path = path;
	s->patience = SESSION_PATIENCE;
	s->sock = s->handle = -1;
	for (i = 0; i < IOCTL_RINGS; i++)
		s->ring[i].call.fd = s->ring[i].kick.fd = -1;
}

void
session_close(struct session *s)
{
	session_close_fd(&s->sock);
	session_close_fd(&s->handle);
	session_forget_rings(s);
}

/* Logs a line about a client, with the remedy; not the same one twice in a row. */
static void
session_complain(struct session *s, const char *what, int error)
{
	if (s->complaint == what || s->complaints == COMPLAINTS_MAX)
		return;
	s->complaint = what;
	s->complaints++;
	say(WARNING, "cuse: process %d: %s: %s\n", (int)s->owner, what, strerror(-error));
}

/* Gives a connection that failed up: the next answer might belong to an older call. Returns rc. */
static int
session_note_loss(struct session *s, int rc)
{
	if (rc != -ENOTCONN)
		return rc;
	s->lost = true;
	session_close(s);
	session_complain(s, "its connection to the switch is lost; it has to open the node again",
			rc);
	return rc;
}

static int
session_call(struct session *s, struct message *m, const int *fd, unsigned int n)
{
	return session_note_loss(s, front_call(s->sock, m, fd, n));
}

static int
session_call_with(struct session *s, uint32_t request, uint64_t value)
{
	struct message m = {
			.request = request,
			.size = sizeof(m.payload.u64),
			.payload.u64 = value,
	};

	return session_call(s, &m, NULL, 0);
}

static int
session_call_bare(struct session *s, uint32_t request)
{
	struct message m = {.request = request};

	return session_call(s, &m, NULL, 0);
}

/*
 * Waits until workers have the rings that messages started: librte_vhost acknowledges a message
 * before it starts rings, and answers the next question after that.
 */
static int
session_await_rings(struct session *s)
{
	return session_call_bare(s, MSG_GET_FEATURES);
}

static int
session_ensure_connected(struct session *s)
{
	int rc;

	if (s->lost)
		return -ENOTCONN;
	if (s->sock >= 0)
		return 0;
	rc = front_connect(s->path, s->patience, &s->features);
	if (rc < 0)
		return rc;
	s->sock = rc;
	return 0;
}

static int
session_get_features(struct session *s, void *out)
{
	int rc = session_ensure_connected(s);
	uint64_t offer;

	if (rc != 0)
		return rc;
	offer = s->features & ioctl_features;
	memcpy(out, &offer, sizeof(offer));
	return 0;
}

static int
session_set_features(struct session *s, const void *in)
{
	uint64_t wanted;

	memcpy(&wanted, in, sizeof(wanted));
	if ((wanted & ~(s->features & ioctl_features)) != 0)
		return -EOPNOTSUPP;
	/*
	 * QEMU does not tell vhost-net which offloads its guest uses when it sends: all are allowed
	 * that the switch can do. Nor does it tell which offloads the guest takes: it gets complete
	 * frames.
	 */
	wanted |= s->features & offload_host_features;
	/* With this bit rings are enabled by a message, as in vhost-net by setting a back end. */
	return session_call_with(
			s, MSG_SET_FEATURES, wanted | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
}

static int
session_set_owner(struct session *s, pid_t thread, pid_t process)
{
	int rc, handle;

	if (s->owner != 0)
		return -EBUSY;
	handle = caller_handle(thread, process);
	if (handle < 0 && handle != -ENOSYS)
		return handle;
	rc = session_ensure_connected(s);
	if (rc == 0)
		rc = session_call_bare(s, MSG_SET_OWNER);
	if (rc == 0) {
		s->owner = process;
		s->handle = handle;
	} else {
		session_close_fd(&handle);
	}
	return rc;
}

static int
session_reset_owner(struct session *s)
{
	int rc = session_call_bare(s, MSG_RESET_OWNER);

	if (rc == 0)
		rc = session_note_loss(s, front_handshake(s->sock, &s->features));
	if (rc == 0) {
		session_forget_rings(s);
		s->owner = 0;
		s->complaint = NULL;
		s->proven = false;
		session_close_fd(&s->handle);
	}
	return rc;
}

static int
session_set_mem_table(struct session *s, const void *in)
{
	struct vhost_memory_region region[IOCTL_REGIONS_MAX];
	struct vhost_memory head;
	int fd[GUEST_REGIONS], rc;
	unsigned int n = 0, i;
	struct message m;

	memcpy(&head, in, sizeof(head));
	if (head.padding != 0)
		return -EOPNOTSUPP;
	memcpy(region, (const char *)in + sizeof(head), head.nregions * sizeof(region[0]));
	fd_gate_making();
	rc = caller_table(s->owner, region, head.nregions, &m, fd);
	fd_gate_made(fd, rc == 0 ? m.payload.memory.nregions : 0);
	if (rc != 0) {
		session_complain(s, remedy_for_memory(rc), rc);
		return rc;
	}
	n = m.payload.memory.nregions;
	rc = caller_lives(s->handle) ? session_call(s, &m, fd, n) : -ESRCH;
	for (i = 0; i < n; i++)
		close(fd[i]);
	return rc == 0 ? session_await_rings(s) : rc;
}

/* Sends one of a ring's file descriptors again, if librte_vhost has closed it. */
static int
session_give_back_event(
		struct session *s, uint32_t request, uint32_t index, struct session_event *e)
{
	struct message m = {
			.request = request,
			.size = sizeof(m.payload.u64),
			.payload.u64 = index | (e->fd < 0 ? MSG_NO_FD : 0),
	};

	if (e->state != PART_LOST)
		return 0;
	e->state = PART_SET;
	return session_call(s, &m, &e->fd, e->fd >= 0);
}

static int
session_give_back_addr(struct session *s, struct session_ring *r)
{
	struct message m;
	int fd, rc;

	if (r->addr_state != PART_LOST)
		return 0;
	rc = ioctl_ring_message(VHOST_SET_VRING_ADDR, &r->addr, &m, &fd);
	if (rc == 0)
		rc = session_call(s, &m, NULL, 0);
	if (rc == 0)
		r->addr_state = PART_SET;
	return rc;
}

/*
 * GET_VRING_BASE ends a ring for librte_vhost, which forgets its addresses and closes its file
 * descriptors. For vhost-net it only asks: the ring must be able to go on as it was. The kick is
 * sent last, as it starts the ring.
 */
static int
session_give_back(struct session *s, uint32_t index)
{
	struct session_ring *r = &s->ring[index];
	int rc = session_give_back_addr(s, r);

	if (rc == 0)
		rc = session_give_back_event(s, MSG_SET_VRING_CALL, index, &r->call);
	if (rc == 0)
		rc = session_give_back_event(s, MSG_SET_VRING_KICK, index, &r->kick);
	return rc;
}

/*
 * Returns a copy of the client's eventfd. Where too many files that are none can't be closed, it takes no more from
 * clients that may be whose they are: those that gave no eventfd yet, or last another file.
 */
static int
session_event_fd(struct session *s, int fd)
{
	const char *remedy;
	int copy;

	if (!s->proven && !apart_accepts(SESSION_FILES)) {
		session_complain(s,
				"not served, as files that clients gave can't be closed; end the clients of "
				"which the log says that they gave some",
				-EMFILE);
		return -EMFILE;
	}
	fd_gate_making();
	copy = caller_fd(s->owner, fd);
	fd_gate_made(&copy, 1);
	if (copy < 0) {
		remedy = remedy_for_event(copy);
		if (remedy != NULL)
			session_complain(s, remedy, copy);
		return copy;
	}
	s->proven = fds_is_eventfd(copy) && caller_lives(s->handle);
	if (s->proven)
		return copy;
	session_complain(s, "gave a file descriptor that is no eventfd", -EINVAL);
	apart_close_later(copy, SESSION_FILES);
	return -EINVAL;
}

/* Keeps a ring's file descriptor that the client has set. */
static void
session_note_event(struct session_event *e, int fd)
{
	session_close_fd(&e->fd);
	e->fd = fd;
	e->state = PART_SET;
}

static void
session_lose(enum session_part *state)
{
	if (*state == PART_SET)
		*state = PART_LOST;
}

/* Notes what an ioctl has changed of a ring, after it succeeded. Takes the file descriptor over. */
static void
session_note_ring(struct session_ring *r, unsigned int cmd, const void *in, int fd)
{
	switch (cmd) {
	case VHOST_SET_VRING_ADDR:
		memcpy(&r->addr, in, sizeof(r->addr));
		r->addr_state = PART_SET;
		break;
	case VHOST_SET_VRING_CALL:
		session_note_event(&r->call, fd);
		break;
	case VHOST_SET_VRING_KICK:
		session_note_event(&r->kick, fd);
		break;
	case VHOST_GET_VRING_BASE:
		session_lose(&r->addr_state);
		session_lose(&r->call.state);
		session_lose(&r->kick.state);
		break;
	default:
		session_close_fd(&fd);
	}
}

static int
session_get_vring_base(struct session *s, uint32_t index, struct message *m, void *out)
{
	struct session_ring *r = &s->ring[index];
	int rc = session_call(s, m, NULL, 0);

	if (rc != 0)
		return rc;
	session_note_ring(r, VHOST_GET_VRING_BASE, NULL, -1);
	memcpy(out, &m->payload.state, sizeof(m->payload.state));
	if (!r->enabled)
		return 0;
	rc = session_give_back(s, index);
	return rc == 0 ? session_await_rings(s) : rc;
}

static int
session_set_backend(struct session *s, uint32_t index, struct message *m)
{
	bool enable = m->payload.state.num;
	int rc = enable ? session_give_back(s, index) : 0;

	if (rc == 0)
		rc = session_call(s, m, NULL, 0);
	if (rc == 0)
		s->ring[index].enabled = enable;
	return rc == 0 && enable ? session_await_rings(s) : rc;
}

static int
session_ring_ioctl(struct session *s, unsigned int cmd, const void *in, void *out)
{
	struct message m = {0};
	uint32_t index;
	int fd, rc;

	rc = ioctl_ring_message(cmd, in, &m, &fd);
	if (rc != 0)
		return rc;
	memcpy(&index, in, sizeof(index)); /* each of the structs begins with the index */
	if (cmd == VHOST_NET_SET_BACKEND)
		return session_set_backend(s, index, &m);
	if (cmd == VHOST_GET_VRING_BASE)
		return session_get_vring_base(s, index, &m, out);
	if (s->ring[index].enabled && ioctl_wants_stopped(cmd))
		return -EBUSY;
	if (fd >= 0) {
		fd = session_event_fd(s, fd);
		if (fd < 0)
			return fd;
	}
	rc = session_call(s, &m, &fd, fd >= 0);
	if (rc == 0)
		session_note_ring(&s->ring[index], cmd, in, fd);
	else
		session_close_fd(&fd);
	return rc;
}

int
session_ioctl(struct session *s, pid_t thread, unsigned int cmd, const void *in, void *out)
{
	pid_t process;

	if (cmd == VHOST_GET_FEATURES)
		return session_get_features(s, out);
	process = caller_process(thread);
	if (process < 0)
		return process;
	if (cmd == VHOST_SET_OWNER)
		return session_set_owner(s, thread, process);
	if (s->owner != process || !caller_lives(s->handle))
		return -EPERM;
	if (s->lost)
		return -ENOTCONN;
	switch (cmd) {
	case VHOST_RESET_OWNER:
		return session_reset_owner(s);
	case VHOST_SET_FEATURES:
		return session_set_features(s, in);
	case VHOST_SET_MEM_TABLE:
		return session_set_mem_table(s, in);
	default:
		return session_ring_ioctl(s, cmd, in, out);
	}
}
