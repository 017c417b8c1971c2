/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The options, checked, in one struct. Written once by conf_parse() before any
 * thread or device exists; read-only from then on.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether this is the build with the cuse back end. */
#ifdef VHOST_CUSE
#define CONF_CUSE true
#else
#define CONF_CUSE false
#endif

/* librte_vhost's table of sockets holds 1024; a fraction is plenty. */
#define SOCKET_MAX 256

#define VLAN_LAST 4094 /* 4095 is reserved, IEEE 802.1Q */

/* sizeof(sun_path) with its terminator: what a socket's path may be long. */
#define SOCKET_PATH_MAX 108

/* The kernel's limit for a name in a folder is 255; this is plenty. */
#define NODE_NAME_MAX 63

enum vm2vm {
	VM2VM_UPLINK, /* never directly: all goes to the uplink */
	VM2VM_SOFTWARE,
	VM2VM_NIC, /* by the uplink's loopback between pools */
};

enum vmdq_use {
	VMDQ_AUTO, /* where the port has it */
	VMDQ_OFF,
	VMDQ_ON,
};

struct conf {
	bool uplink;      /* -p given */
	uint16_t port_id; /* the DPDK port that is the uplink */
	unsigned int nsockets;
	char socket[SOCKET_MAX][SOCKET_PATH_MAX];
	char node[NODE_NAME_MAX + 1]; /* cuse: the device's name under /dev; "": none */
	bool node_owned;              /* --dev-owner given, for node and sockets: */
	uid_t node_uid;
	gid_t node_gid;
	bool node_mode_given; /* --dev-mode; else sockets are as the umask has it */
	mode_t node_mode;
	bool client; /* connect to the sockets instead of serving them */
	enum vm2vm vm2vm;
	enum vmdq_use vmdq;
	bool mergeable;
	bool tx_csum; /* offer checksum offload */
	bool tx_csum_given;
	bool tso;       /* offer segmentation offload; only with tx_csum */
	uint32_t stats; /* seconds between tables; 0: only at exit */
	bool rx_retry;
	uint32_t rx_retry_num;
	uint32_t rx_retry_delay; /* microseconds */
	bool vlan_strip;
	bool promiscuous;
	uint32_t total_num_mbufs; /* 0: sized from ports, queues and cores */
	uint16_t vlan_base;       /* 0: the uplink is untagged */
	uint32_t aging;           /* seconds; 0: never */
};

enum conf_result {
	CONF_RUN,   /* go on */
	CONF_DONE,  /* help or version printed: exit 0 */
	CONF_ERROR, /* said on stderr: exit 1 */
};

/*
 * Reads the options behind the first "--" of the command line into *c. EAL's
 * options, in front of it, are left alone. An error is one line on stderr that
 * names the option, the value and what is allowed.
 */
enum conf_result conf_parse(struct conf *c, int argc, char **argv);

/* Reads all of `text`, digits of the base, as a number up to `max`. False: it is none. */
bool conf_digits(const char *text, int base, uint64_t max, uint64_t *value);

/* Tag of device `index` on the uplink; 0 where the uplink is untagged. */
static inline uint16_t
conf_vlan(const struct conf *c, uint16_t index)
{
	return c->vlan_base == 0 ? 0 : c->vlan_base + index;
}

/* Longest frame that is switched, in bytes without checksum (see conf.c). */
uint32_t conf_frame_max(const struct conf *c);

/* Largest payload of a frame, bytes: what guests may have as their MTU. */
uint32_t conf_mtu(const struct conf *c);

#endif /* CONF_H */
