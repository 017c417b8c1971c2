/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The few vhost-user messages that the switch reads itself, as they are on the wire (vhost-user
 * protocol, "Message Specification"). librte_vhost passes each message to its hooks in this form,
 * before and after it carries it out.
 *
 * librte_vhost's thread; the cuse thread makes messages of its own.
 */
#ifndef GUEST_MESSAGE_H
#define GUEST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

#include "guest/memory.h"

enum message_request {
	MSG_GET_FEATURES = 1,
	MSG_SET_FEATURES = 2,
	MSG_SET_OWNER = 3,
	MSG_RESET_OWNER = 4,
	MSG_SET_MEM_TABLE = 5,
	MSG_SET_LOG_BASE = 6,
	MSG_SET_LOG_FD = 7,
	MSG_SET_VRING_NUM = 8,
	MSG_SET_VRING_ADDR = 9,
	MSG_SET_VRING_BASE = 10,
	MSG_GET_VRING_BASE = 11,
	MSG_SET_VRING_KICK = 12,
	MSG_SET_VRING_CALL = 13,
	MSG_SET_VRING_ERR = 14,
	MSG_GET_PROTOCOL_FEATURES = 15,
	MSG_SET_PROTOCOL_FEATURES = 16,
	MSG_GET_QUEUE_NUM = 17,
	MSG_SET_VRING_ENABLE = 18,
	MSG_SEND_RARP = 19,
	MSG_NET_SET_MTU = 20,
	MSG_SET_BACKEND_REQ_FD = 21,
	MSG_SET_VRING_ENDIAN = 23,
	MSG_CREATE_CRYPTO_SESSION = 26,
	MSG_CLOSE_CRYPTO_SESSION = 27,
	MSG_POSTCOPY_ADVISE = 28,
	MSG_GET_INFLIGHT_FD = 31,
	MSG_SET_INFLIGHT_FD = 32,
	MSG_GET_STATUS = 40,
};

/* Header flags: the protocol's version, an answer, a request for an acknowledgement. */
#define MSG_VERSION 1u
#define MSG_REPLY (1u << 2)
#define MSG_NEED_REPLY (1u << 3)

/* A protocol feature by its number, as its name differs between releases of librte_vhost. */
#define PROTOCOL_BACKEND_REQ 5

#define MSG_HEADER 12 /* bytes before the payload */

/* In the u64 of SET_VRING_KICK, _CALL and _ERR: no file descriptor comes with it. */
#define MSG_NO_FD (1u << 8)

struct message_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of the payload */
	union {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t num;
		} __attribute__((packed)) state;
		struct {
			uint32_t index;
			uint32_t flags;
			uint64_t desc; /* the three addresses are in the front end's process */
			uint64_t used;
			uint64_t avail;
			uint64_t log;
		} __attribute__((packed)) addr;
		struct {
			uint32_t nregions;
			uint32_t padding;
			struct message_region region[GUEST_REGIONS];
		} __attribute__((packed)) memory;
		struct {
			uint64_t mmap_size;
			uint64_t mmap_offset;
		} __attribute__((packed)) log;
		struct rte_ether_addr mac;
		struct {
			uint64_t mmap_size;
			uint64_t mmap_offset;
			uint16_t nrings;
			uint16_t ring_size;
		} __attribute__((packed)) inflight;
	} payload;
} __attribute__((packed));

/* Makes an answer of the message, which has this value. */
void message_answer(struct message *m, uint64_t value);

/*
 * Returns the size of librte_vhost's own struct of a message in a release, or 0 if this switch does
 * not know the release. librte_vhost passes that struct to its hooks, and after it the file
 * descriptors that came with the message. `version`: as from rte_version() ("DPDK 22.11.3").
 */
size_t message_size_in(const char *version);

/*
 * Returns true if no file descriptors came with a message that librte_vhost's hook got. `size`: of
 * its struct, in the running release. Returns false also if that is 0; then librte_vhost may handle
 * the message.
 */
bool message_bare(const struct message *m, size_t size);

/* Returns the ring that SET_VRING_KICK, _CALL or _ERR is about. */
static inline unsigned int
message_ring_of_fd(const struct message *m)
{
	return m->payload.state.index & 0xff;
}

#endif /* GUEST_MESSAGE_H */
