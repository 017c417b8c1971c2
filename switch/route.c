/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Decides where a frame goes: see route.h for the contract. */
#include <string.h>

#include <rte_cycles.h>

#include "conf/conf.h"
#include "frame/checksum.h"
#include "frame/copy.h"
#include "frame/cost.h"
#include "frame/frame.h"
#include "switch/fdb.h"
#include "switch/flood.h"
#include "switch/lane.h"
#include "switch/learn.h"
#include "switch/route.h"
#include "switch/source.h"

/*
 * How many requests to learn a port may make in a millisecond, with all its rings: a new guest
 * needs one. So a guest that makes up addresses can neither fill the queue of requests (learn.c)
 * nor keep the main lcore from those of others.
 */
#define LEARN_CREDIT 16
#define LEARN_PERIODS 1000 /* a second */
#define LEARN_BITS 8       /* low bits of port.learned count requests; the others are the period */

/* Results for a frame that goes to more than one port, or to none. */
enum {
	TO_ALL = PORT_MAX, /* every port except its own */
	TO_NONE,           /* dropped; the reason is in the frame */
	TO_SOME,           /* those with a tag, see route_to_tag() */
	TO_ALL_BUT,        /* every port except its own and one more, see route_reflected() */
};

/*
 * 01-80-C2-00-00-00 to 0F: spanning tree, pause, LACP, 802.1X, LLDP. These frames concern the two
 * ends of one link, and no bridge forwards them (IEEE 802.1Q section 8.6.3).
 */
static const struct rte_ether_addr link_local = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};
#define LINK_LOCAL_LAST 0x0f /* largest last byte of such an address */

static inline uint16_t
route_to_none(struct frame *f, enum drop_reason reason)
{
	f->reason = reason;
	return TO_NONE;
}

/* Drops a frame whose only port is the one that it came from, or that has its source address. */
static inline uint16_t
route_hairpin(struct frame *f)
{
	return route_to_none(f, DROP_TO_SENDER);
}

/* Returns true if a port may make one more request in this period. Workers share its credit. */
static bool
route_may_learn(struct port *p)
{
	uint64_t period = rte_rdtsc() / (rte_get_tsc_hz() / LEARN_PERIODS);
	uint64_t old = load_relaxed(&p->learned), new;

	do {
		if (period > old >> LEARN_BITS)
			new = period << LEARN_BITS | 1;
		else if ((old & ((1 << LEARN_BITS) - 1)) < LEARN_CREDIT)
			new = old + 1;
		else
			return false;
	} while (!compare_exchange_relaxed(&p->learned, &old, new));
	return true;
}

/*
 * Asks the main lcore to learn. A lost request is made again with the next frame. `known`: the
 * address is another port's so far.
 */
static void
route_ask_to_learn(struct lane *l, struct source *s, uint64_t key, bool known)
{
	struct port *p = &l->shared.ports->port[s->port];
	const struct learn_request r = {
			.key = key,
			.epoch = port_epoch(p),
			.port = s->port,
	};

	/* A frame that is only explained teaches nothing. */
	if (l->shared.learn == NULL)
		return;
	/* An address that moves to the wire must leave its guest in any case. */
	if (fdb_full(l->shared.fdb, s->port) && !(known && s->port == PORT_UPLINK))
		count_add(&l->count[s->port].unlearned, 1);
	else if (route_may_learn(p))
		learn_ask(l->shared.learn, &r);
}

/*
 * Does the rest of route_learn(), for an address that is another port's so far, or unknown (`e` NULL). Returns
 * the port that it belongs to, or PORT_MAX if the sender must not use it.
 */
static __rte_noinline uint16_t
route_learn_new(struct lane *l, struct source *s, const struct frame *f, struct fdb_entry *e)
{
	const struct shared *all = &l->shared;

	l->burst.cost += COST_SEARCH;
	if (e != NULL && s->port == PORT_UPLINK) {
		/* A guest whose rings are stopped may have migrated to another host, which announces it. */
		if (port_sink(&all->ports->port[fdb_port(e)]) == NULL)
			fdb_expire(all->fdb, e);
		/* Our guests' frames may come back on the wire: then the address has not moved. */
		if (!fdb_idle(all->fdb, e))
			return fdb_port(e);
	}
	/* A port that names its own addresses was checked before. */
	if (s->port != PORT_UPLINK && !(port_policy(&all->ports->port[s->port]) & PORT_MACS) &&
			unlikely(conf_mac_named(lane_conf(l), &f->eth.src_addr)))
		return PORT_MAX;
	route_ask_to_learn(l, s, fdb_key(&f->eth.src_addr, FDB_DOMAIN), e != NULL);
	return s->port;
}

/*
 * Notes a frame's source address. *owner is set to its port if that is not the sender's. Returns
 * false if the sender must not use it, as another port names it as its own.
 */
static inline bool
route_learn(struct lane *l, struct source *s, const struct frame *f, uint16_t *owner)
{
	const struct fdb *t = l->shared.fdb;
	struct fdb_entry *e = fdb_lookup(t, &l->hints, fdb_key(&f->eth.src_addr, FDB_DOMAIN));

	if (likely(e != NULL && fdb_port(e) == s->port)) {
		fdb_touch(t, e);
		return true;
	}
	*owner = route_learn_new(l, s, f, e);
	return *owner != PORT_MAX;
}

/*
 * --vm2vm 2: a frame for a guest goes out with that guest's tag, and the NIC sorts it into the
 * guest's pool. Exceptions: an address that the NIC sorts into no pool, as it would send the frame to
 * the wire; and a frame with a tag of its own, which it would keep.
 */
static inline uint16_t
route_by_nic(const struct lane *l, struct frame *f, const struct fdb_entry *e, uint16_t port)
{
	if (port == PORT_UPLINK || !fdb_pooled(e) || frame_own_tag(f))
		return port;
	f->tagged = true;
	f->tci = port_vlan(&l->shared.ports->port[port]);
	return PORT_UPLINK;
}

/* Routes a frame of a guest: to the port that has the address, or to all. */
static inline uint16_t
route_from_guest(struct lane *l, const struct source *s, struct frame *f, uint8_t policy)
{
	enum vm2vm vm2vm = lane_conf(l)->vm2vm;
	struct fdb_entry *e;
	uint16_t port;

	f->tagged = false;
	if (vm2vm == VM2VM_UPLINK)
		return PORT_UPLINK;
	if (unlikely(rte_is_multicast_ether_addr(&f->eth.dst_addr)))
		return TO_ALL;
	e = fdb_lookup(l->shared.fdb, &l->hints, fdb_key(&f->eth.dst_addr, FDB_DOMAIN));
	if (unlikely(e == NULL))
		return TO_ALL;
	port = fdb_port(e);
	if (unlikely(port == s->port))
		return route_hairpin(f);
	if (unlikely(policy & PORT_ISOLATED) && ports_isolated(l->shared.ports, s->port, port))
		return route_to_none(f, DROP_ISOLATED);
	return likely(vm2vm != VM2VM_NIC) ? port : route_by_nic(l, f, e, port);
}

/* The wire has brought a guest's own frame back, which goes to all others: it must not reach that guest. */
static __rte_noinline uint16_t
route_reflected(struct lane *l, const struct frame *f, uint16_t owner)
{
	flood_but(l, f, owner);
	return TO_ALL_BUT;
}

/*
 * Routes a frame of an untagged uplink, by address alone. `owner`: the port that has the source
 * address. If the wire brings a guest's own frame back (a reflective relay does, or a bond that the
 * other end does not know), it goes to other guests, but never to that one.
 */
static inline uint16_t
route_from_untagged(struct lane *l, struct frame *f, uint16_t owner)
{
	struct fdb_entry *e = NULL;
	uint16_t port;

	if (!rte_is_multicast_ether_addr(&f->eth.dst_addr))
		e = fdb_lookup(l->shared.fdb, &l->hints, fdb_key(&f->eth.dst_addr, FDB_DOMAIN));
	if (e == NULL)
		return likely(owner == PORT_UPLINK) ? TO_ALL : route_reflected(l, f, owner);
	port = fdb_port(e);
	return port != PORT_UPLINK && port != owner ? port : route_hairpin(f);
}

/* A frame goes to every device with this tag, except the owner of its source. */
static uint16_t
route_to_tag(struct lane *l, const struct frame *f, uint16_t vid, uint16_t owner)
{
	flood_to_tag(l, f, vid);
	if (owner != PORT_UPLINK)
		flood_but(l, f, owner);
	return TO_SOME;
}

/*
 * Routes a frame of a tagged uplink whose tag several devices may have: a VLAN, in which frames go
 * by address. `owner`: the port that has the source address.
 */
static uint16_t
route_from_shared(struct lane *l, struct frame *f, uint16_t vid, uint16_t owner)
{
	struct fdb_entry *e = NULL;
	uint16_t port;

	if (!rte_is_multicast_ether_addr(&f->eth.dst_addr))
		e = fdb_lookup(l->shared.fdb, &l->hints, fdb_key(&f->eth.dst_addr, FDB_DOMAIN));
	if (e == NULL)
		return route_to_tag(l, f, vid, owner);
	port = fdb_port(e);
	if (port == PORT_UPLINK || port == owner)
		return route_hairpin(f);
	return port_has_tag(&l->shared.ports->port[port], vid) ? port : route_to_none(f, DROP_VLAN);
}

/* Returns the VLAN of a frame of the uplink. */
static inline uint16_t
route_vid(const struct frame *f)
{
	return f->tagged ? f->tci & VLAN_ID : 0;
}

/*
 * Returns true if a frame of a tagged uplink is in a VLAN of some device, and teaches something about it: stations of
 * other VLANs may have the same addresses. `device`: whom the tag belongs to (conf_tag_owner()). Frames of a VMDq pool
 * are checked once more: they must be for its device.
 */
static inline bool
route_enters(const struct lane *l, const struct source *s, uint16_t vid, uint16_t device)
{
	if (device == TAG_NOBODY || (s->device != SOURCE_ANY && device != s->device))
		return false;
	return device == TAG_SHARED || port_has_tag(&l->shared.ports->port[device], vid);
}

/*
 * Routes a frame of a tagged uplink. The tag names one device, or several. One device gets frames
 * for its addresses, and group frames; while it has no address, all of them. `owner`: the port that
 * has the source address; its own frames never come back to it.
 */
static inline uint16_t
route_from_tagged(struct lane *l, const struct source *s, struct frame *f, uint16_t device,
		uint16_t owner)
{
	const struct shared *all = &l->shared;
	struct fdb_entry *e;

	if (unlikely(device == TAG_SHARED))
		return route_from_shared(l, f, route_vid(f), owner);
	if (unlikely(owner == device))
		return route_hairpin(f);
	if (rte_is_multicast_ether_addr(&f->eth.dst_addr))
		return device >= s->copied ? device : route_to_none(f, DROP_COPY);
	e = fdb_lookup(all->fdb, &l->hints, fdb_key(&f->eth.dst_addr, FDB_DOMAIN));
	if (e != NULL && fdb_port(e) != PORT_UPLINK) {
		if (fdb_port(e) != device)
			return route_to_none(f, DROP_VLAN);
		if (device < s->copied && fdb_pooled(e))
			return route_to_none(f, DROP_COPY);
		return device;
	}
	if (fdb_count(all->fdb, device) != 0)
		return route_to_none(f, DROP_UNMATCHED);
	return device;
}

/* Returns true if the settings of a guest's port let it send with this address. */
static bool
route_may_send(struct lane *l, const struct port *p, const struct rte_ether_addr *from)
{
	const struct conf_port *c = load_acquire(&p->settings);
	unsigned int i;

	l->burst.cost += c->nmacs * COST_MAC;
	for (i = 0; i < c->nmacs; i++)
		if (rte_is_same_ether_addr(&c->mac[i], from))
			return true;
	return c->nmacs == 0; /* just lifted */
}

/* Returns true if the destination, a group address, is one that stays on its link. */
static bool
route_is_link_local(const struct frame *f)
{
	const uint8_t *to = f->eth.dst_addr.addr_bytes;

	return memcmp(to, &link_local, RTE_ETHER_ADDR_LEN - 1) == 0 &&
			to[RTE_ETHER_ADDR_LEN - 1] <= LINK_LOCAL_LAST;
}

/*
 * Returns true if a guest's frame is in a VLAN of the guest's choice. Tags are in its memory: a
 * later change is corrected where it matters, on the uplink (UPLINK_RETAG).
 */
static bool
route_in_own_vlan(const struct frame *f)
{
	uint8_t bytes[sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr)] = {0};
	struct rte_vlan_hdr tag;

	if (!frame_own_tag(f))
		return false;
	/* A checksum that is completed there would become the tag, or a type that makes the next bytes one. */
	if (f->offload != 0 && checksum_at(f) < sizeof(bytes))
		return true;
	frame_peek(f, bytes, RTE_MIN(f->len, (uint32_t)sizeof(bytes)));
	memcpy(&tag, bytes + sizeof(struct rte_ether_hdr), sizeof(tag));
	/* VLAN 0 is none, but who takes its tag off finds the one within. */
	return (tag.vlan_tci & RTE_BE16(VLAN_ID)) != 0 || ether_is_tag(tag.eth_proto);
}

/* Returns true if the settings of a guest's port allow a frame; otherwise sets its drop reason. */
static __rte_noinline bool
route_allowed(struct lane *l, const struct port *p, struct frame *f)
{
	const uint8_t policy = port_policy(p);

	if ((policy & PORT_MACS) && !route_may_send(l, p, &f->eth.src_addr))
		f->reason = DROP_SPOOFED;
	else if ((policy & PORT_NO_TAGS) && route_in_own_vlan(f))
		f->reason = DROP_OWN_TAG;
	return f->reason == DROP_NONE;
}

static inline uint16_t
route_frame(struct lane *l, struct source *s, struct frame *f, uint8_t policy)
{
	const struct conf *c = lane_conf(l); /* once, as it may be replaced meanwhile */
	bool tagged = s->port == PORT_UPLINK && c->tagged, foreign = false;
	uint16_t owner = s->port, device = TAG_NOBODY;

	if (unlikely(f->reason != DROP_NONE))
		return TO_NONE;
	if (unlikely(rte_is_multicast_ether_addr(&f->eth.src_addr) ||
			    rte_is_zero_ether_addr(&f->eth.src_addr)))
		return route_to_none(f, DROP_SOURCE);
	if (unlikely(policy & (PORT_MACS | PORT_NO_TAGS)) &&
			!route_allowed(l, &l->shared.ports->port[s->port], f))
		return TO_NONE;
	if (tagged) {
		device = conf_tag_owner(c, route_vid(f));
		foreign = !route_enters(l, s, route_vid(f), device);
	}
	if (likely(!foreign) && unlikely(!route_learn(l, s, f, &owner)))
		return route_to_none(f, DROP_SPOOFED);
	if (unlikely(rte_is_multicast_ether_addr(&f->eth.dst_addr)) && route_is_link_local(f) &&
			!c->forward_bpdu)
		return route_to_none(f, DROP_LINK_LOCAL);
	if (unlikely(foreign))
		return route_to_none(f, DROP_VLAN);
	if (likely(s->port != PORT_UPLINK))
		return route_from_guest(l, s, f, policy);
	return tagged ? route_from_tagged(l, s, f, device, owner)
		      : route_from_untagged(l, f, owner);
}

/* Returns true if two frames have the same destination and source. */
static inline bool
route_same_way(const struct frame *a, const struct frame *b)
{
	uint64_t first[2], last[2];

	memcpy(&first[0], &a->eth, sizeof(first[0]));
	memcpy(&first[1], &b->eth, sizeof(first[1]));
	memcpy(&last[0], (const uint8_t *)&a->eth + 4, sizeof(last[0]));
	memcpy(&last[1], (const uint8_t *)&b->eth + 4, sizeof(last[1]));
	return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

/* Returns true if two frames of the uplink have the same tag, or both none. */
static inline bool
route_same_tag(const struct frame *a, const struct frame *b)
{
	return a->tagged == b->tagged && a->tci == b->tci;
}

/* Ends a run of frames with the same result. Returns those that go to all. */
static inline frame_set
route_end_run(struct lane *l, uint16_t to, frame_set run)
{
	if (likely(to < PORT_MAX))
		dests_add(&l->dests, to, run);
	return to == TO_ALL || to == TO_ALL_BUT ? run : 0;
}

void
route_burst(struct lane *l, struct source *s, struct burst *b)
{
	uint8_t policy = port_policy(&l->shared.ports->port[s->port]);
	bool uplink = s->port == PORT_UPLINK;
	/* True if only addresses decide, and frames need nothing of their own except their port. */
	bool alike = uplink || (lane_conf(l)->vm2vm != VM2VM_NIC && !(policy & PORT_NO_TAGS));
	frame_set flood = 0, run = 0; /* frames in a row with the same result */
	uint16_t to, last = TO_NONE;
	struct frame *f;
	unsigned int i;

	l->hints.searches = 0;
	l->dests.n = 0;
	l->dests.flood = 0;
	l->dests.nflood = 0;
	l->dests.tags.n = l->dests.reflected.n = 0;
	for (i = 0; i < b->n; i++) {
		f = &b->frame[i];
		/* Frames of a flow come in a row: the result for the first one is used for all. */
		if (likely(last <= TO_ALL) && alike && route_same_way(f, f - 1) &&
				f->reason == DROP_NONE && (!uplink || route_same_tag(f, f - 1))) {
			run |= frame_set_one(i);
			continue;
		}
		to = route_frame(l, s, f, policy);
		if (unlikely(to != last)) {
			flood |= route_end_run(l, last, run);
			last = to;
			run = 0;
		}
		run |= frame_set_one(i);
	}
	flood |= route_end_run(l, last, run);
	if (unlikely((flood | l->dests.tags.n) != 0))
		flood_burst(l, s, flood);
	b->cost += l->hints.searches * COST_SEARCH;
}
