/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The uplink: one DPDK port, whose frames are sorted by its VMDq pools (vmdq.h),
 * or in software (switch/route.c).
 *
 * Worker 0 polls its receive queues; each worker has a transmit queue of its own
 * where the port has enough of them, and else shares one under a lock. Opened
 * and closed by the main lcore while no worker runs; MAC filters are set by the
 * main lcore at any time.
 */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/drops.h"
#include "switch/fdb.h"
#include "frame/frame.h"

struct conf;
struct port_count;
struct ports;
struct source;
struct uplink;

/*
 * Configures and starts the port for `nworkers` workers, and makes it the sink of PORT_UPLINK.
 * NULL: it can't be, and why was said on stderr.
 */
struct uplink *uplink_open(const struct conf *c, struct ports *ports, unsigned int nworkers);

/*
 * Stops the port. Frames that still wait are dropped and counted in `count`
 * (the uplink's). NULL is fine. Main lcore, after the workers.
 */
void uplink_stop(struct uplink *u, struct port_count *count);

/* Frees what uplink_open() made. NULL is fine. */
void uplink_free(struct uplink *u);

/*
 * What worker 0 polls: source 0 is sorted in software, source 1 + i is the VMDq
 * pool of device i, of as many devices as have one. Also with no guest there a pool
 * is polled now and then, or the next guest would be sent what came in between.
 */
unsigned int uplink_sources(const struct uplink *u);
struct source *uplink_source(struct uplink *u, unsigned int i);

/* Free buffers of its pool, those in workers' caches too. 0 without an uplink. Any thread. */
unsigned int uplink_buffers_free(const struct uplink *u);

/* With a sender's tag: frames of its own tags get that tag instead. */
#define UPLINK_RETAG 0x8000

/*
 * Copies the frames of `want` into mbufs and gives them to the port, in order,
 * until it takes no more. `vlan`: the sender's tag, added to frames that have
 * none of their own or one of VLAN 0; 0: none. In --vm2vm 2 a frame may bring another's tag along. Counts what was sent.
 * A port whose link is down refuses all of them, another those that are too long for it.
 * Worker `id`.
 */
struct outcome uplink_deliver(struct uplink *u, unsigned int id, struct burst *b, frame_set want,
		uint16_t vlan, struct port_count *count);

/*
 * Offers the port what it left of a frame that was cut, and calls one that has work of its
 * own to do in such calls. Worker `id`, with each poll.
 */
void uplink_work(struct uplink *u, unsigned int id);

/* Why the port took no more from worker `id` at its last try. */
enum drop_reason uplink_reason(const struct uplink *u, unsigned int id);

/*
 * Tells the port that an address is a guest's, so that it lets it in, and into its device's
 * pool if it has one. `vlan`: the device's tag. Without room for a filter the port becomes
 * promiscuous. *lost is an address, of a device with more filters, that has given its
 * own up for this one; all zeroes: none has. Main lcore.
 */
enum filter_state uplink_add_mac(struct uplink *u, const struct rte_ether_addr *mac,
		uint16_t device, uint16_t vlan, struct rte_ether_addr *lost);

/* The same of an address that was another device's, or is to be tried again. Main lcore. */
enum filter_state uplink_move_mac(struct uplink *u, const struct rte_ether_addr *mac,
		uint16_t device, uint16_t vlan, struct rte_ether_addr *lost);

/* Tells the port that an address is a guest's no longer. It was added. Main lcore. */
void uplink_remove_mac(struct uplink *u, const struct rte_ether_addr *mac);

/*
 * Whether there is room for a filter, and an address that has none: uplink_move_mac() then
 * tries again. Main lcore.
 */
bool uplink_has_room(const struct uplink *u);

/* Ends promiscuous mode when all addresses have had filters for a while. Main lcore, once a second. */
void uplink_tick(struct uplink *u);

#endif /* UPLINK_UPLINK_H */
