/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The vhost-user socket, seen from the front end: what QEMU or virtio-user is to a switch.
 *
 * This is the lowest layer: messages and the file descriptors that come with them. It knows no
 * device and keeps no state, so a test that misbehaves can send what it likes. device.h builds an
 * orderly device on it, nic.h a network card on that.
 *
 * Functions return 0 or a count when they succeed and a negative errno when not:
 * -ETIMEDOUT when the other side says nothing in time, -ECONNRESET when it hung up,
 * -EPROTO when it broke the protocol. Nothing here prints or exits. Timeouts are in
 * milliseconds. No function is safe against a second thread on the same socket.
 */
#ifndef DRIVER_VHOST_USER_H
#define DRIVER_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests of the front end. */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_GPU_SET_SOCKET = 33,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
};

/* Bits of vu_msg.flags. */
#define VU_VERSION 0x1u
#define VU_VERSION_MASK 0x3u
#define VU_REPLY (1u << 2)
#define VU_NEED_REPLY (1u << 3)

/* Protocol features: the bit itself, not its number. */
#define VU_PROTOCOL_MQ (1ULL << 0)
#define VU_PROTOCOL_LOG_SHMFD (1ULL << 1)
#define VU_PROTOCOL_RARP (1ULL << 2)
#define VU_PROTOCOL_REPLY_ACK (1ULL << 3)
#define VU_PROTOCOL_NET_MTU (1ULL << 4)
#define VU_PROTOCOL_BACKEND_REQ (1ULL << 5)
#define VU_PROTOCOL_INFLIGHT_SHMFD (1ULL << 12)
#define VU_PROTOCOL_CONFIGURE_MEM_SLOTS (1ULL << 15)
#define VU_PROTOCOL_STATUS (1ULL << 16)

/* Device features that concern a network device: the bit itself. */
#define VU_F_CSUM (1ULL << 0)
#define VU_F_GUEST_CSUM (1ULL << 1)
#define VU_F_MTU (1ULL << 3)
#define VU_F_MAC (1ULL << 5)
#define VU_F_GUEST_TSO4 (1ULL << 7)
#define VU_F_GUEST_TSO6 (1ULL << 8)
#define VU_F_GUEST_ECN (1ULL << 9)
#define VU_F_GUEST_UFO (1ULL << 10)
#define VU_F_HOST_TSO4 (1ULL << 11)
#define VU_F_HOST_TSO6 (1ULL << 12)
#define VU_F_HOST_ECN (1ULL << 13)
#define VU_F_HOST_UFO (1ULL << 14)
#define VU_F_MRG_RXBUF (1ULL << 15)
#define VU_F_STATUS (1ULL << 16)
#define VU_F_CTRL_VQ (1ULL << 17)
#define VU_F_GUEST_ANNOUNCE (1ULL << 21)
#define VU_F_MQ (1ULL << 22)
#define VU_F_NOTIFY_ON_EMPTY (1ULL << 24)
#define VU_F_LOG_ALL (1ULL << 26)
#define VU_F_ANY_LAYOUT (1ULL << 27)
#define VU_F_INDIRECT_DESC (1ULL << 28)
#define VU_F_EVENT_IDX (1ULL << 29)
#define VU_F_PROTOCOL_FEATURES (1ULL << 30)
#define VU_F_VERSION_1 (1ULL << 32)
#define VU_F_IOMMU_PLATFORM (1ULL << 33)
#define VU_F_RING_PACKED (1ULL << 34)
#define VU_F_IN_ORDER (1ULL << 35)
#define VU_F_GUEST_USO4 (1ULL << 54)
#define VU_F_GUEST_USO6 (1ULL << 55)
#define VU_F_HOST_USO (1ULL << 56)

#define VU_HEADER_SIZE 12         /* request, flags, size */
#define VU_TABLE_REGIONS_MAX 8    /* the protocol's limit for SET_MEM_TABLE */
#define VU_FDS_MAX 64             /* far above the protocol's 8: tests send too many */
#define VU_VRING_NOFD (1ULL << 8) /* in the u64 of SET_VRING_KICK, CALL, ERR */

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vu_vring_addr {
	uint32_t index;
	uint32_t flags; /* bit 0: log writes to the used ring */
	uint64_t desc;  /* all of these: addresses in the front end's process */
	uint64_t used;
	uint64_t avail;
	uint64_t log; /* guest physical address of the used ring, for the log */
};

struct vu_table_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint64_t mmap_offset;
};

struct vu_mem_table {
	uint32_t n_regions;
	uint32_t padding;
	struct vu_table_region region[VU_TABLE_REGIONS_MAX];
};

struct vu_mem_reg { /* ADD_MEM_REG, REM_MEM_REG */
	uint64_t padding;
	struct vu_table_region region;
};

struct vu_log {
	uint64_t size;
	uint64_t offset;
};

/* One message. The header and the payload go out one after the other, with no hole. */
struct vu_msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload; may lie */
	union {
		uint64_t u64;
		struct vu_vring_state state;
		struct vu_vring_addr addr;
		struct vu_mem_table mem;
		struct vu_mem_reg mem_reg;
		struct vu_log log;
		uint8_t raw[1024];
	} payload;
	int fd[VU_FDS_MAX]; /* to send: borrowed. Received: the caller's to close */
	int n_fds;
};

/* Connect to a back end that serves `path`; tries again until there is one. Returns the socket. */
int vu_connect(const char *path, int timeout_ms);

/* Serves `path` (a stale file is replaced), for a back end in client mode. */
int vu_listen(const char *path);

int vu_accept(int listen_fd, int timeout_ms);

/* Sends any bytes and file descriptors as they are: all of them, or it fails. */
int vu_send_bytes(int sock, const void *bytes, size_t len, const int *fd, int n_fds);

/*
 * Sends a message as it is in `msg`: the header, then msg->size bytes of payload, with msg->n_fds
 * file descriptors. No more payload is sent than `msg` has room for, even if its size says more.
 */
int vu_send(int sock, const struct vu_msg *msg);

/* Receives one message of the back end. A payload for which there is no room gives -EPROTO. */
int vu_recv(int sock, struct vu_msg *msg, int timeout_ms);

/* An empty message for `request`, version set; fill in payload, size and fds. */
struct vu_msg vu_msg_new(uint32_t request);

/* The same with a u64, and with a vring state. */
struct vu_msg vu_msg_u64(uint32_t request, uint64_t value);

struct vu_msg vu_msg_state(uint32_t request, uint32_t index, uint32_t num);

void vu_msg_close_fds(struct vu_msg *msg);

/* Waits until the back end has hung up, and returns 0 then. What it still sends is thrown away. */
int vu_wait_hangup(int sock, int timeout_ms);

/*
 * Milliseconds, for a thread's deadlines: the monotonic clock, without the time in which the whole machine, or the
 * thread, stood still for long. A virtual machine that its host suspends for minutes has then no deadline that is over.
 */
int64_t vu_now_ms(void);

#endif
