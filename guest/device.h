/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest and its device, kept from connection to connection. guest.h describes its life.
 *
 * librte_vhost's thread owns it; if there is another such thread, they take turns (vhost_user.c). A worker uses a
 * ring, the memory map and a set only while these are published. Any thread may read `published`, and what the
 * fault lock guards under that lock.
 */
#ifndef GUEST_DEVICE_H
#define GUEST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <rte_spinlock.h>

#include "conf/conf.h"
#include "guest/announce.h"
#include "guest/guests.h"
#include "guest/memory.h"
#include "guest/space.h"
#include "guest/peer.h"
#include "guest/sink.h"
#include "guest/virtqueue.h"

/*
 * Rings of a device (virtio 1.2 section 5.1.2): the even ones are receive rings, the odd ones
 * transmit rings. A set of rings is the bits of one uint32_t.
 */
#define RINGS_MAX (2 * QUEUE_PAIRS_MAX)
#define RINGS_ALL UINT32_MAX
#define RINGS_RX UINT32_C(0x55555555)
#define RINGS_TX UINT32_C(0xaaaaaaaa)
#define RINGS_FIRST_PAIR UINT32_C(3)

/*
 * For each ring of a set in order, with its index in i, an unsigned int. The set is read once, before: the
 * loop may change the variable that it came from.
 */
#define RING_SET_FOREACH(i, set) \
	for (uint32_t rings_left = (set); rings_left != 0 && ((i) = __builtin_ctz(rings_left), 1); \
			rings_left &= rings_left - 1)

/*
 * Returns the rings that a device with these features has. A front end may set up more than that, but without
 * VIRTIO_NET_F_MQ librte_vhost throws all but the first queue pair away when it gets the features once more: it closes
 * the files that signal them, and tells nobody.
 */
static inline uint32_t
rings_usable(uint64_t features)
{
	return features >> VIRTIO_NET_F_MQ & 1 ? RINGS_ALL : RINGS_FIRST_PAIR;
}

static inline bool
ring_is_tx(unsigned int index)
{
	return index & 1;
}

/* A ring's addresses as the front end gave them, in its own process. */
struct ring_address {
	uint64_t desc, used, avail;
};

/* How far a guest has come. */
enum guest_phase {
	GUEST_UNUSED,    /* it is kept for a later connection */
	GUEST_CONNECTED, /* its device is not set up, or no longer */
	GUEST_RUNNING,   /* librte_vhost says that the device is set up */
	GUEST_DOOMED,    /* the front end broke the protocol: its further messages are ignored */
};

/* What is done about a message, between guest_before() and guest_after(). */
enum message_step {
	STEP_NONE,
	STEP_PAUSED, /* its rings are paused */
	STEP_TABLE,  /* its rings are paused, and a memory table is being set */
	STEP_LOG,    /* it concerns the log alone, and nothing is paused; see dirty_switch.h */
};

/*
 * What belongs to one connection: zeroed as a whole when the next one is made. Whoever holds the mutex of
 * vhost_user.c uses it; the thread that serves the connection also reads `vid` and `step` without that. A worker gets
 * the announcement.
 */
struct connection {
	enum guest_phase phase;
	int vid;            /* librte_vhost's number of the connection */
	int socket;         /* file descriptor of librte_vhost's socket; -1: not found */
	struct space space; /* its part of this process's addresses */
	uint64_t features;  /* negotiated features that librte_vhost does not know */
	uint32_t ready;     /* rings that the library says are set up and enabled */
	uint32_t paused;    /* rings that are paused for a moment: frames wait for them */
	struct ring_address address[RINGS_MAX]; /* as last given by the front end */
	struct announcement announcement;       /* tells others that the guest is here now */
	uint32_t announcer; /* the ring whose worker has the announcement, as a bit */
	struct peer peer;
	enum message_step step;
	bool log_mapped; /* librte_vhost has mapped a dirty log */
	bool log_late; /* all bits of the dirty log are still to be set; see dirty_switch_late() */
	bool mtu_told; /* it was logged that its MTU is too large */
};

struct guest {
	struct virtqueue ring[RINGS_MAX];
	/* It is emptied when the device stops. A thread that gets SIGBUS may look at it at any time (sigbus.c). */
	struct guest_mem mem;
	struct rx_set set[2]; /* at most one is published; the other is the next one */
	struct guests *all;
	struct guest *next; /* next guest of all->list */
	struct connection conn;
	/*
	 * The rings that workers use. It is not of the connection, as any thread may read it at any time; it is
	 * empty when a connection begins.
	 */
	uint32_t published;
	/*
	 * A worker may read a set still when the connection that it was published for is over: so these say what
	 * becomes of set[] across connections.
	 */
	uint8_t next_set; /* index in set[] of the set to publish next */
	bool set_in_use; /* no grace period has passed since set[next_set] was withdrawn, or the slot taken */
	/*
	 * Main lcore and librte_vhost's thread both look for faults. While one of them reads the state of
	 * a stopped guest, the other must not clear it. For the same reason `conf_port` and `slot`, which
	 * give the guest's name, are written under this lock: the main lcore may read them when the
	 * connection is over.
	 */
	rte_spinlock_t fault_lock;
	bool fault_logged;  /* guarded by fault_lock */
	uint16_t conf_port; /* index of the configuration's port that it connected to */
	uint16_t slot;      /* in the table of ports; SLOT_NONE: its device was not set up yet */
};

/* Returns the settings of the port that it connected to. */
static inline const struct conf_port *
guest_settings(const struct guest *g)
{
	return &g->all->conf->port[g->conf_port];
}

#endif /* GUEST_DEVICE_H */
