/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The uplink: one DPDK port, whose frames are sorted by its VMDq pools (vmdq.h), or in software
 * (switch/route.c).
 *
 * Worker 0 polls its receive queues. Each worker has its own transmit queue if the port has enough
 * of them, and otherwise shares one under a lock. The main lcore opens and closes it while no
 * worker runs, and sets MAC filters at any time.
 */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/drops.h"
#include "switch/burst.h"
#include "switch/fdb.h"

struct conf;
struct port_count;
struct ports;
struct source;
struct uplink;

/*
 * Configures and starts the port for `nworkers` workers, and makes it the sink of PORT_UPLINK.
 * Returns NULL, after an error was printed, if that fails.
 */
struct uplink *uplink_open(const struct conf *c, struct ports *ports, unsigned int nworkers);

/*
 * Stops the port. Frames that still wait are dropped and counted in `count` (the uplink's). NULL is
 * allowed. Main lcore, after the workers have ended.
 */
void uplink_stop(struct uplink *u, struct port_count *count);

/* Frees what uplink_open() made. NULL is allowed. */
void uplink_free(struct uplink *u);

/*
 * Returns true if ports may have the settings *next while the uplink runs; otherwise prints which of them was
 * decided when it was opened. `u` NULL: there is no uplink. Main lcore.
 */
bool uplink_allows(const struct uplink *u, const struct conf *next);

/* Makes the uplink use these settings from now on. `u` may be NULL. Main lcore. */
void uplink_set_conf(struct uplink *u, const struct conf *c);

/*
 * The sources that worker 0 polls. The frames of source 0 are sorted in software; source 1 + i is
 * the VMDq pool of device i, for the devices that have one. A pool without a guest is polled now
 * and then, or the next guest would get the frames that came in between.
 */
unsigned int uplink_sources(const struct uplink *u);
struct source *uplink_source(struct uplink *u, unsigned int i);

/*
 * Returns the number of free mbufs of its pool, with those in workers' caches; 0 without an uplink.
 * Any thread.
 */
unsigned int uplink_buffers_free(const struct uplink *u);

/* Added to a sender's tag: frames with its own tags get that tag instead. */
#define UPLINK_RETAG 0x8000

/*
 * Copies the frames of `want` into mbufs and gives them to the port, in order, until it takes no
 * more. `vlan` is the sender's tag (0: none), which is added to frames that have no tag of their
 * own, or one of VLAN 0. In --vm2vm 2 a frame may have another guest's tag. Counts what was sent.
 * Refuses all frames while the link is down, and frames that are too long for the port. Worker
 * `id`.
 */
struct outcome uplink_deliver(struct uplink *u, unsigned int id, struct burst *b, frame_set want,
		uint16_t vlan, struct port_count *count);

/*
 * Offers the port the rest of a frame that was cut, and calls a port that does work of its own in
 * such calls (a bond). Returns true if a part of that rest is left. Worker `id`, with each round.
 */
bool uplink_work(struct uplink *u, unsigned int id);

/* Returns why the port took no more from worker `id` at its last try. */
enum drop_reason uplink_reason(const struct uplink *u, unsigned int id);

/*
 * Has the port receive frames for a guest's address, in its device's pool if it has one. `vlan` is
 * the device's tag. Without room for a filter the port becomes promiscuous. *lost gets the address,
 * of a device with more filters, that has lost its filter to this one, or all zeroes. Main lcore.
 */
enum filter_state uplink_add_mac(struct uplink *u, const struct rte_ether_addr *mac,
		uint16_t device, uint16_t vlan, struct rte_ether_addr *lost);

/*
 * Like uplink_add_mac(), for an address that was another device's, or is tried again. Main lcore.
 */
enum filter_state uplink_move_mac(struct uplink *u, const struct rte_ether_addr *mac,
		uint16_t device, uint16_t vlan, struct rte_ether_addr *lost);

/* Removes an address that was added: it is no guest's any more. Main lcore. */
void uplink_remove_mac(struct uplink *u, const struct rte_ether_addr *mac);

/*
 * Returns true if there is room for a filter, and an address that has none: try uplink_move_mac()
 * again then. Main lcore.
 */
bool uplink_has_room(const struct uplink *u);

/*
 * Asks again what the driver refused and what the kernel did not tell, and ends promiscuous mode when all addresses
 * have had filters for a while. Main lcore, once a second.
 */
void uplink_tick(struct uplink *u);

#endif /* UPLINK_UPLINK_H */
