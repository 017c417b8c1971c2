/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Which messages a guest may send: see message.h. librte_vhost's thread. */
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "guest/dirty_log.h"
#include "guest/message.h"

/* The low byte of what SET_VRING_KICK, _CALL and _ERR carry. */
#define RING_INDEX 0xffu

/*
 * librte_vhost (22.11) maps the file from the offset on and then adds the offset again,
 * so any but 0, which is what front ends send, leads it outside.
 */
static bool
log_wanted(const struct message *m)
{
	return m->size == sizeof(m->payload.log) && m->payload.log.mmap_offset == 0 &&
			m->payload.log.mmap_size != 0 && m->payload.log.mmap_size <= DIRTY_LOG_MAX;
}

static bool
mac_wanted(const struct message *m)
{
	struct rte_ether_addr mac = m->payload.mac;

	return m->size == sizeof(m->payload.u64) && rte_is_valid_assigned_ether_addr(&mac);
}

/*
 * What follows a message in the struct that librte_vhost's hooks are given (vhu_msg_context
 * in its vhost_user.h, which says that they rely on it).
 */
struct descriptors {
	int fd[8]; /* -1: none */
	int n;
};

/*
 * Bytes of the largest message, which those descriptors follow, from a release on
 * (25.03 added messages of crypto devices). What comes after the last one is not known.
 */
static const struct {
	unsigned int release; /* year * 100 + month */
	size_t size;
} layouts[] = {{2211, 644}, {2503, 1084}};
#define RELEASE_LAST 2511

/* Of the running release; 0: not known. Written once, before there is a connection. */
static size_t message_size;

bool
message_know(const char *version)
{
	unsigned int i, year, month, release;

	message_size = 0;
	if (sscanf(version, "DPDK %u.%u", &year, &month) != 2)
		return false;
	release = year * 100 + month;
	for (i = 0; i < RTE_DIM(layouts) && release <= RELEASE_LAST; i++)
		if (release >= layouts[i].release)
			message_size = layouts[i].size;
	return message_size != 0;
}

bool
message_bare(const struct message *m)
{
	struct descriptors d;
	unsigned int i;

	if (message_size == 0)
		return false;
	memcpy(&d, (const uint8_t *)m + message_size, sizeof(d));
	for (i = 0; i < RTE_DIM(d.fd); i++)
		if (d.fd[i] != -1)
			return false;
	return d.n == 0;
}

void
message_answer(struct message *m, uint64_t value)
{
	m->payload.u64 = value;
	m->size = sizeof(m->payload.u64);
}

uint32_t
message_rings(const struct message *m)
{
	switch (m->request) {
	case MSG_SET_VRING_NUM:
	case MSG_SET_VRING_ADDR:
	case MSG_SET_VRING_BASE:
	case MSG_SET_VRING_ENABLE:
		return UINT32_C(1) << m->payload.state.index;
	case MSG_SEND_RARP: /* it is announced by this one */
		return UINT32_C(1) << 1;
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_CALL:
	case MSG_SET_VRING_ERR:
		return UINT32_C(1) << (m->payload.state.index & RING_INDEX);
	default:
		return UINT32_MAX;
	}
}

bool
message_wanted(const struct message *m, unsigned int rings)
{
	switch (m->request) {
	case MSG_GET_FEATURES:
	case MSG_SET_FEATURES:
	case MSG_SET_OWNER:
	case MSG_RESET_OWNER:
	case MSG_SET_MEM_TABLE:
	case MSG_GET_PROTOCOL_FEATURES:
	case MSG_SET_PROTOCOL_FEATURES:
	case MSG_GET_QUEUE_NUM:
	case MSG_SET_LOG_FD:
	case MSG_NET_SET_MTU:
		return true;
	case MSG_SET_LOG_BASE:
		return log_wanted(m);
	case MSG_SEND_RARP:
		return mac_wanted(m);
	case MSG_SET_VRING_NUM:
	case MSG_SET_VRING_ADDR:
	case MSG_SET_VRING_BASE:
	case MSG_GET_VRING_BASE:
	case MSG_SET_VRING_ENABLE:
		return m->payload.state.index < rings;
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_CALL:
	case MSG_SET_VRING_ERR:
		return (m->payload.state.index & RING_INDEX) < rings;
	default:
		return false;
	}
}

bool
message_doom(struct message *m)
{
	/* With no acknowledgement asked for, a failure ends the connection. */
	m->flags &= ~MSG_NEED_REPLY;
	switch (m->request) {
	case MSG_SET_MEM_TABLE:
		/* More regions than descriptors came with: all of those are closed. */
		m->payload.memory.nregions = UINT32_MAX;
		return true;
	case MSG_SET_LOG_BASE:
	case MSG_GET_INFLIGHT_FD:
		/* Of this size it refuses both; 22.11 makes an inflight buffer of any. */
		m->size = 0;
		return true;
	case MSG_SET_INFLIGHT_FD:
		/* 22.11 writes behind a buffer that is too small: but not for no ring. */
		m->payload.inflight.mmap_size = 1;
		m->payload.inflight.mmap_offset = 0;
		m->payload.inflight.nrings = 0;
		m->payload.inflight.ring_size = 0;
		return true;
	case MSG_POSTCOPY_ADVISE:
		/* Hands out a userfaultfd: with it, any access to memory could be held up. */
		return false;
	default:
		return true;
	}
}

bool
message_handled(const struct message *m)
{
	/* VHOST_USER_SET_VRING_ENDIAN, sessions of crypto devices, and unused ones. */
	static const uint64_t not_handled = UINT64_C(1) << 0 | UINT64_C(1) << 23 |
			UINT64_C(1) << 26 | UINT64_C(1) << 27 | UINT64_C(0x3f) << 33;

	return m->request <= MSG_GET_STATUS && !(not_handled >> m->request & 1);
}
