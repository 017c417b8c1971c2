/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The table of vhost-user messages: see dispatch.h for the contract. */
#include <inttypes.h>

#include <rte_common.h>

#include "base/log.h"
#include "conf/conf.h"
#include "frame/offload.h"
#include "guest/connect.h"
#include "guest/device.h"
#include "guest/dirty_log.h"
#include "guest/dirty_switch.h"
#include "guest/dispatch.h"
#include "guest/fds.h"

/*
 * librte_vhost (22.11) maps the file from the offset on and then adds the offset again, so any offset
 * except 0, which is what front ends send, leads outside of the mapping.
 */
static bool
dispatch_log_valid(const struct message *m, unsigned int rings)
{
	RTE_SET_USED(rings);
	return m->size == sizeof(m->payload.log) && m->payload.log.mmap_offset == 0 &&
			m->payload.log.mmap_size != 0 && m->payload.log.mmap_size <= DIRTY_LOG_MAX;
}

static bool
dispatch_mac_valid(const struct message *m, unsigned int rings)
{
	struct rte_ether_addr mac = m->payload.mac;

	RTE_SET_USED(rings);
	return m->size == sizeof(m->payload.u64) && rte_is_valid_assigned_ether_addr(&mac);
}

static bool
dispatch_ring_valid(const struct message *m, unsigned int rings)
{
	return m->payload.state.index < rings;
}

static bool
dispatch_ring_fd_valid(const struct message *m, unsigned int rings)
{
	return message_ring_of_fd(m) < rings;
}

/* Lets librte_vhost refuse an MTU that frames of the switch can't carry. */
static bool
dispatch_allow_mtu(struct guest *g, struct message *m)
{
	uint32_t max = guest_settings(g)->mtu;
	char name[GUEST_WHO_MAX];

	if (m->payload.u64 <= max)
		return true;
	if (!g->conn.mtu_told)
		say(WARNING,
				"%s: MTU %" PRIu64 " refused, as %u is the most that is "
				"switched; %schoose a smaller one (host_mtu= of QEMU)\n",
				guest_who(g, name), m->payload.u64, max,
				max != RTE_ETHER_MTU ? "" : "start with --mergeable 1, or ");
	g->conn.mtu_told = true;
	m->payload.u64 = 0;
	return true;
}

/* Returns the features that the switch offers and librte_vhost does not know. */
static uint64_t
dispatch_own_features(const struct guest *g)
{
	return guest_settings(g)->tso == CHOICE_YES ? offload_uso_features : 0;
}

/*
 * Removes features from the message that librte_vhost would refuse, as it did not offer them. While the
 * device runs librte_vhost refuses any change, and so do we: features that change are left in.
 */
static bool
dispatch_allow_features(struct guest *g, struct message *m)
{
	uint64_t own = m->payload.u64 & dispatch_own_features(g);

	if (g->conn.phase != GUEST_RUNNING)
		g->conn.features = own;
	if (g->conn.features == own)
		m->payload.u64 &= ~own;
	return true;
}

static void
dispatch_say_share(const struct guest *g, const char *what, uint64_t share)
{
	char name[GUEST_WHO_MAX];

	say(WARNING,
			"%s: its %s would take more addresses than the %u GiB that are its share; "
			"give it less memory\n",
			guest_who(g, name), what, (unsigned int)(share >> 30));
}

static bool
dispatch_allow_log(struct guest *g, struct message *m)
{
	uint64_t share;

	if (space_log(&g->all->spaces, &g->conn.space, m, &share))
		return true;
	dispatch_say_share(g, "dirty log", share);
	return false;
}

/* A table with too many regions is no fault of the guest's. */
static bool
dispatch_allow_table(struct guest *g, struct message *m)
{
	char name[GUEST_WHO_MAX];
	uint64_t share;

	if (m->payload.memory.nregions > GUEST_REGIONS)
		say(WARNING,
				"%s: its memory is in %u regions, and %d are the most that a guest can "
				"have; give it fewer and larger DIMMs\n",
				guest_who(g, name), m->payload.memory.nregions, GUEST_REGIONS);
	if (!fds_table_ok(m))
		return false;
	if (space_table(&g->all->spaces, &g->conn.space, m, &share))
		return true;
	dispatch_say_share(g, "memory", share);
	return false;
}

/* Returns the ring that the message disables: librte_vhost does so after the hook that follows the message. */
static uint32_t
dispatch_ends_disabled(const struct guest *g, const struct message *m)
{
	RTE_SET_USED(g);
	return m->payload.state.num == 0 ? message_rings(m) : 0;
}

/* Returns the rings that librte_vhost drops: also while the device runs, if nothing but the log is switched. */
static uint32_t
dispatch_ends_pairs(const struct guest *g, const struct message *m)
{
	RTE_SET_USED(g);
	return ~rings_usable(m->payload.u64);
}

static uint32_t
dispatch_ends_all(const struct guest *g, const struct message *m)
{
	RTE_SET_USED(g);
	RTE_SET_USED(m);
	return RINGS_ALL;
}

static void
dispatch_before_table(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	g->conn.step = STEP_TABLE;
	guest_mem_forget(&g->mem);
}

/* librte_vhost unmaps the log. */
static void
dispatch_before_log(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	guest_mem_set_log(&g->mem, NULL, 0);
}

static void
dispatch_before_question(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	peer_asks(&g->conn.peer);
}

static void
dispatch_before_features(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	peer_agrees(&g->conn.peer, &g->all->peers);
}

static void
dispatch_before_rarp(struct guest *g, const struct message *m)
{
	const struct rte_ether_addr mac = m->payload.mac;

	announce_ask(&g->conn.announcement, &mac);
}

/* librte_vhost would answer with the number that it could serve. */
static uint64_t
dispatch_answer_queues(const struct guest *g)
{
	return guest_settings(g)->queues;
}

/* Names more regions than file descriptors: librte_vhost closes all that came. */
static bool
dispatch_spoil_table(struct message *m)
{
	m->payload.memory.nregions = UINT32_MAX;
	return true;
}

/* librte_vhost rejects size 0; 22.11 would make an inflight buffer of any other size. */
static bool
dispatch_spoil_size(struct message *m)
{
	m->size = 0;
	return true;
}

/* 22.11 writes after the end of a buffer that is too small. With no ring it writes nothing. */
static bool
dispatch_spoil_inflight(struct message *m)
{
	m->payload.inflight.mmap_size = 1;
	m->payload.inflight.mmap_offset = 0;
	m->payload.inflight.nrings = 0;
	m->payload.inflight.ring_size = 0;
	return true;
}

/* librte_vhost would send a userfaultfd, by which the front end could hold up any access to memory. */
static bool
dispatch_spoil_never(struct message *m)
{
	RTE_SET_USED(m);
	return false;
}

/* Messages without a row are not offered. librte_vhost acts on them as on others of the whole device. */
static const struct message_kind dispatch_table[] = {
		[0] = {.unknown = true},
		[MSG_GET_FEATURES] = {.scope = SCOPE_NOTHING,
				.offered = true,
				.before = dispatch_before_question,
				.answer = dispatch_own_features,
				.adds_theirs = true},
		[MSG_SET_FEATURES] = {.scope = SCOPE_DEVICE,
				.offered = true,
				.allow = dispatch_allow_features,
				.only_log = dirty_switch_only_features,
				.ends = dispatch_ends_pairs,
				.before = dispatch_before_features,
				.after = dirty_switch_features},
		[MSG_SET_OWNER] = {.scope = SCOPE_DEVICE, .offered = true},
		[MSG_RESET_OWNER] = {.scope = SCOPE_DEVICE,
				.offered = true,
				.ends = dispatch_ends_all,
				.before = dispatch_before_log,
				.after = dirty_switch_reset},
		[MSG_SET_MEM_TABLE] = {.scope = SCOPE_DEVICE,
				.offered = true,
				.allow = dispatch_allow_table,
				.before = dispatch_before_table,
				.spoil = dispatch_spoil_table},
		[MSG_SET_LOG_BASE] = {.scope = SCOPE_DEVICE,
				.offered = true,
				.valid = dispatch_log_valid,
				.allow = dispatch_allow_log,
				.only_log = dirty_switch_only_base,
				.before = dispatch_before_log,
				.after = dirty_switch_base,
				.spoil = dispatch_spoil_size},
		[MSG_SET_LOG_FD] = {.scope = SCOPE_DEVICE, .offered = true},
		[MSG_SET_VRING_NUM] = {.scope = SCOPE_RING,
				.offered = true,
				.valid = dispatch_ring_valid},
		[MSG_SET_VRING_ADDR] = {.scope = SCOPE_RING,
				.offered = true,
				.valid = dispatch_ring_valid,
				.only_log = dirty_switch_only_address,
				/* It would go back to the used index that it knew last, and warn of that. */
				.log_alone = true,
				.after = dirty_switch_address},
		[MSG_SET_VRING_BASE] = {.scope = SCOPE_RING,
				.offered = true,
				.valid = dispatch_ring_valid},
		[MSG_GET_VRING_BASE] = {.scope = SCOPE_DEVICE,
				.offered = true,
				.valid = dispatch_ring_valid,
				.after = dirty_switch_stop},
		[MSG_SET_VRING_KICK] = {.scope = SCOPE_RING_FD,
				.offered = true,
				.valid = dispatch_ring_fd_valid},
		[MSG_SET_VRING_CALL] = {.scope = SCOPE_RING_FD,
				.offered = true,
				.valid = dispatch_ring_fd_valid},
		[MSG_SET_VRING_ERR] = {.scope = SCOPE_RING_FD,
				.offered = true,
				.valid = dispatch_ring_fd_valid},
		[MSG_GET_PROTOCOL_FEATURES] = {.scope = SCOPE_NOTHING, .offered = true},
		[MSG_SET_PROTOCOL_FEATURES] = {.scope = SCOPE_DEVICE, .offered = true},
		[MSG_GET_QUEUE_NUM] = {.scope = SCOPE_NOTHING,
				.offered = true,
				.answer = dispatch_answer_queues},
		[MSG_SET_VRING_ENABLE] = {.scope = SCOPE_RING,
				.offered = true,
				.valid = dispatch_ring_valid,
				.ends = dispatch_ends_disabled},
		[MSG_SEND_RARP] = {.scope = SCOPE_TX,
				.offered = true,
				.valid = dispatch_mac_valid,
				.before = dispatch_before_rarp},
		[MSG_NET_SET_MTU] = {.scope = SCOPE_NOTHING,
				.offered = true,
				.allow = dispatch_allow_mtu},
		/* Requests by the back end, which are never made; its driver waits for the socket. */
		[MSG_SET_BACKEND_REQ_FD] = {.scope = SCOPE_DEVICE, .for_uml = true},
		[MSG_SET_VRING_ENDIAN] = {.unknown = true},
		[MSG_CREATE_CRYPTO_SESSION] = {.unknown = true},
		[MSG_CLOSE_CRYPTO_SESSION] = {.unknown = true},
		[MSG_POSTCOPY_ADVISE] = {.spoil = dispatch_spoil_never},
		[MSG_GET_INFLIGHT_FD] = {.spoil = dispatch_spoil_size},
		[MSG_SET_INFLIGHT_FD] = {.spoil = dispatch_spoil_inflight},
		[33 ... 38] = {.unknown = true}, /* GPU_SET_SOCKET to REM_MEM_REG */
		[MSG_GET_STATUS] = {.offered = false},
};

const struct message_kind *
message_kind(const struct message *m)
{
	static const struct message_kind unknown = {.unknown = true};

	return m->request < RTE_DIM(dispatch_table) ? &dispatch_table[m->request] : &unknown;
}

uint32_t
message_rings(const struct message *m)
{
	switch (message_kind(m)->scope) {
	case SCOPE_NOTHING:
		return 0;
	case SCOPE_RING:
		return UINT32_C(1) << m->payload.state.index;
	case SCOPE_RING_FD:
		return UINT32_C(1) << message_ring_of_fd(m);
	case SCOPE_TX:
		return RINGS_TX;
	case SCOPE_DEVICE:
	default:
		return RINGS_ALL;
	}
}

bool
message_wanted(const struct guest *g, const struct message *m)
{
	const struct message_kind *k = message_kind(m);
	const struct conf_port *p = guest_settings(g);

	return (k->offered || (k->for_uml && p->uml)) &&
			(k->valid == NULL || k->valid(m, 2 * p->queues));
}

bool
message_doom(struct message *m)
{
	const struct message_kind *k = message_kind(m);

	/* If no acknowledgement is asked for, a failure ends the connection. */
	m->flags &= ~MSG_NEED_REPLY;
	return k->spoil == NULL || k->spoil(m);
}
