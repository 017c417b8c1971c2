/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The few vhost-user messages that the life of a guest looks into, as they are
 * on the wire (vhost-user protocol, "Message Specification"). librte_vhost
 * hands each message to its hooks in this form, before and after it acts on it.
 */
#ifndef GUEST_MESSAGE_H
#define GUEST_MESSAGE_H

#include <stdint.h>

#include "guest/memory.h"

enum message_request {
	MSG_GET_FEATURES = 1,
	MSG_SET_MEM_TABLE = 5,
	MSG_GET_PROTOCOL_FEATURES = 15,
	MSG_GET_QUEUE_NUM = 17,
	MSG_SET_VRING_ENABLE = 18,
};

/* Header flag: the front end waits for an acknowledgement. */
#define MSG_NEED_REPLY (1u << 3)

struct message_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload, bytes */
	union {
		struct {
			uint32_t index;
			uint32_t num;
		} __attribute__((packed)) state;
		struct {
			uint32_t nregions;
			uint32_t padding;
			struct message_region region[GUEST_REGIONS];
		} __attribute__((packed)) memory;
	} payload;
} __attribute__((packed));

#endif /* GUEST_MESSAGE_H */
