/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The settings of the switch and of its ports, in one struct.
 *
 * There are two kinds. Settings *as given* are what the user wrote, complete and named, with defaults left
 * open. Settings *as resolved* by conf_resolve() are checked, each default is decided, and they have the tables
 * for looking frames up. The switch uses resolved ones, which are never changed: new ones replace them
 * (run/settings.h). The main lcore writes settings as given; any thread reads resolved ones.
 */
#ifndef CONF_H
#define CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_ether.h>

/* True in the build with the cuse back end. Only BACK_END_SOURCES of the Makefile may use it. */
#ifdef VHOST_CUSE
#define CONF_CUSE true
#else
#define CONF_CUSE false
#endif

/* librte_vhost's table of sockets holds 1024; a fraction is plenty. */
#define SOCKET_MAX 256

/* Guests at a time of a socket given by path alone, so that it leaves room for others'. */
#define SOCKET_GUESTS 64

#define VLAN_LAST 4094 /* 4095 is reserved, IEEE 802.1Q */

/* Longest path of a socket, with its terminator: sizeof(sun_path). */
#define SOCKET_PATH_MAX 108

/* The kernel's limit for a name in a folder is 255; this is plenty. */
#define NODE_NAME_MAX 63

/* Source addresses that a port may be held to: a guest's cards, and some it shares. */
#define PORT_MACS_MAX 16

/* Longest name of a port, which has to fit tables and log lines. */
#define PORT_NAME_MAX 47

/* The owner of a VLAN tag on the uplink that does not name exactly one device; see conf_tag_owner(). */
#define TAG_NOBODY UINT16_MAX
#define TAG_SHARED (UINT16_MAX - 1) /* every device with that tag */

enum role {
	ROLE_DEFAULT, /* as --client says */
	ROLE_SERVER,
	ROLE_CLIENT,
};

/* A setting of a port: the value of the switch's option, or one of its own. */
enum choice {
	CHOICE_DEFAULT,
	CHOICE_NO,
	CHOICE_YES,
};

/*
 * A port: where guests connect, and the settings for them. The keys of --port (conf_port.h) set all
 * of it; the other options that name a socket leave it at its defaults.
 */
struct conf_port {
	char name[PORT_NAME_MAX + 1];
	bool named;                   /* the user named it; else its socket did */
	bool from_file;               /* it comes from the file, and not from the command line */
	char socket[SOCKET_PATH_MAX]; /* "": the cuse back end's device */
	enum role role;
	uint16_t guests; /* at a time */
	bool vlan_given;
	uint16_t vlan;    /* tag on the uplink of each of its guests; 0: untagged */
	bool isolated;    /* reaches no other isolated port */
	bool no_own_tags; /* frames that a guest tagged itself are dropped */
	bool uml;         /* its guests are User Mode Linux */
	bool owned;       /* its socket has this owner; resolved: --dev-owner's, if that is given */
	uid_t uid;
	gid_t gid;
	bool mode_given; /* its socket has these permissions; resolved: --dev-mode's, if that is given */
	mode_t mode;
	uint32_t mtu;                     /* largest payload of its guests' frames, bytes */
	uint16_t queues;                  /* pairs, at most */
	enum choice csum, tso, mergeable; /* offers; never CHOICE_DEFAULT once checked */
	unsigned int nmacs;
	struct rte_ether_addr mac[PORT_MACS_MAX]; /* none: any address */
	bool going; /* it is being removed, or made again: nobody may connect */
};

enum vm2vm {
	VM2VM_UPLINK, /* not directly: everything goes to the uplink */
	VM2VM_SOFTWARE,
	VM2VM_NIC, /* by the uplink's loopback between pools */
};

enum vmdq_use {
	VMDQ_AUTO, /* where the port has it */
	VMDQ_OFF,
	VMDQ_ON,
};

struct conf {
	bool uplink;                       /* -p given */
	uint16_t port_id;                  /* the DPDK port that is the uplink */
	unsigned int nports;               /* entries of port[], up to the last one in use */
	struct conf_port port[SOCKET_MAX]; /* by index; see conf_port_used() */
	char node[NODE_NAME_MAX + 1];      /* cuse: the device's name under /dev; "": none */
	bool node_from_file;               /* the command line may name another */
	bool no_default;                   /* there need be no port at all: --dev-basename none */
	bool node_owned;                   /* --dev-owner was given, for node and sockets */
	uid_t node_uid;
	gid_t node_gid;
	bool node_mode_given; /* --dev-mode; else sockets are as the umask has it */
	mode_t node_mode;
	char file[PATH_MAX];           /* --config; "": none */
	char control[SOCKET_PATH_MAX]; /* path of the control socket; "none"; "": the default */
	bool client;                   /* connect to the sockets instead of serving them */
	enum vm2vm vm2vm;
	enum vmdq_use vmdq;
	bool mergeable; /* offer mergeable receive buffers, to ports that do not say */
	bool tx_csum;   /* offer checksum offload */
	bool tx_csum_given;
	bool tso;       /* offer segmentation offload; only with tx_csum */
	uint32_t stats; /* seconds between tables; 0: only at exit */
	bool rx_retry;
	uint32_t rx_retry_num;
	uint32_t rx_retry_delay; /* microseconds */
	bool vlan_strip;
	bool promiscuous;
	uint32_t total_num_mbufs; /* 0: sized from ports, queues and cores */
	uint16_t vlan_base;       /* 0: ports that name no tag are untagged */
	bool forward_bpdu;        /* forward frames for link-local group addresses */
	uint32_t aging;           /* seconds; 0: never */
	uint32_t idle_sleep;      /* microseconds without work until a worker sleeps; 0: never */

	/* conf_resolve() sets all from here on. */
	struct {
		bool csum, tso, mergeable;
	} offers;    /* what at least one port offers */
	bool tagged; /* the uplink is sorted by tags */
	uint16_t tag_owner[VLAN_LAST + 2];
	unsigned int nmacs; /* addresses that ports name, sorted; see conf_mac_named() */
	struct rte_ether_addr mac[SOCKET_MAX * PORT_MACS_MAX];
};

/* Returns false for an index that no port has at present. Ports have names once all are there. */
static inline bool
conf_port_used(const struct conf_port *p)
{
	return p->name[0] != '\0';
}

/* Returns the tag that device `index` has on the uplink if its port names none; 0: untagged. */
static inline uint16_t
conf_vlan(const struct conf *c, uint16_t index)
{
	return c->vlan_base == 0 ? 0 : c->vlan_base + index;
}

/*
 * Returns the one device that a tag on the uplink (0: none) is for, or TAG_SHARED or TAG_NOBODY.
 * That device may be absent or have another tag: a guest of a port with its own tag may be in the
 * slot.
 */
static inline uint16_t
conf_tag_owner(const struct conf *c, uint16_t vid)
{
	return c->tag_owner[vid];
}

/* Returns true if some port names the address as its own. Any thread. */
bool conf_mac_named(const struct conf *c, const struct rte_ether_addr *mac);

/*
 * Works out what frames are looked up in: c->tagged, c->tag_owner, and the list of named addresses.
 */
void conf_make_tables(struct conf *c);

/*
 * Works out c->tagged and c->tag_owner. Device i is the first guest of port i; further
 * ones are devices from c->nports on (guest/slot.h).
 */
void conf_map_tags(struct conf *c);

/* Returns the index of the port of that name; SOCKET_MAX: there is none. */
unsigned int conf_find_port(const struct conf *c, const char *name);

/* Gives *to the ports of *from, and leaves its other settings alone. */
void conf_take_ports(struct conf *to, const struct conf *from);

/* Returns the longest frame that is switched, in bytes without checksum. */
uint32_t conf_frame_max(const struct conf *c);

/* Returns the largest payload of a frame, in bytes, for ports without mtu=. */
uint32_t conf_mtu(const struct conf *c);

/* Returns the longest frame with that payload: it may have a guest's tag and ours. */
uint32_t conf_frame_of(uint32_t mtu);

#endif /* CONF_H */
