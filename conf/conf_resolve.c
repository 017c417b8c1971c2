/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Completes the ports once all options are read: defaults, checks of ports against each other, and
 * the tables for tags and named addresses that frames are looked up in. See conf_port.h and conf.h
 * for the contracts.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "conf/conf.h"
#include "conf/conf_node.h"
#include "conf/conf_parse.h"
#include "conf/conf_port.h"
#include "base/limits.h"
#include "base/log.h"

/* Decides who listens, and so how many guests there can be. */
static bool
resolve_role(const struct conf *c, struct conf_port *p)
{
	if (p->role == ROLE_DEFAULT)
		p->role = c->client && p->socket[0] != '\0' ? ROLE_CLIENT : ROLE_SERVER;
	if (p->role != ROLE_CLIENT)
		return true;
	/* The switch connects once to each socket. */
	if (p->named && p->guests > 1) {
		say_error("--port %s: guests=%u: a client connects to one guest; give each a "
			  "socket",
				p->name, p->guests);
		return false;
	}
	p->guests = 1;
	return true;
}

/* Decides what a port's guests are offered, where its keys leave that to the options. */
static bool
resolve_offer(const struct conf *c, struct conf_port *p)
{
	if (p->tso == CHOICE_YES && p->csum == CHOICE_NO) {
		say_error("--port %s: csum=no: segments need checksums, so tso=yes must be left out, "
			  "or csum=no",
				p->name);
		return false;
	}
	if (p->tso == CHOICE_DEFAULT)
		p->tso = c->tso && p->csum != CHOICE_NO ? CHOICE_YES : CHOICE_NO;
	if (p->csum == CHOICE_DEFAULT)
		p->csum = c->tx_csum || c->tso || p->tso == CHOICE_YES ? CHOICE_YES : CHOICE_NO;
	if (p->mergeable == CHOICE_DEFAULT)
		p->mergeable = c->mergeable ? CHOICE_YES : CHOICE_NO;
	if (p->mtu > RTE_ETHER_MTU && p->mergeable == CHOICE_NO) {
		say_error("--port %s: mtu=%u: frames with more than %d bytes of payload need "
			  "mergeable=yes",
				p->name, p->mtu, RTE_ETHER_MTU);
		return false;
	}
	if (p->mtu == 0)
		p->mtu = p->mergeable == CHOICE_YES ? MTU_MAX : RTE_ETHER_MTU;
	return true;
}

/* Sets in the switch's options all features that some port offers. */
static bool
resolve_offers(struct conf *c)
{
	bool csum = false, tso = false, mergeable = false;
	unsigned int i;

	for (i = 0; i < c->nports; i++) {
		if (!conf_port_used(&c->port[i]))
			continue;
		if (!resolve_offer(c, &c->port[i]))
			return false;
		csum |= c->port[i].csum == CHOICE_YES;
		tso |= c->port[i].tso == CHOICE_YES;
		mergeable |= c->port[i].mergeable == CHOICE_YES;
	}
	c->offers.csum = c->tx_csum || csum;
	c->offers.tso = c->tso || tso;
	c->offers.mergeable = c->mergeable || mergeable;
	return true;
}

/* A socket without an owner or a mode of its own has the switch's. */
static void
resolve_inherit_owner(const struct conf *c, struct conf_port *p)
{
	if (!p->owned && c->node_owned) {
		p->owned = true;
		p->uid = c->node_uid;
		p->gid = c->node_gid;
	}
	if (!p->mode_given && c->node_mode_given) {
		p->mode_given = true;
		p->mode = c->node_mode;
	}
}

/*
 * Decides who owns a port's socket. Returns false if the port names an owner for a socket that the switch
 * does not make.
 */
static bool
resolve_owner(const struct conf *c, struct conf_port *p)
{
	if (p->role != ROLE_CLIENT) {
		resolve_inherit_owner(c, p);
		return true;
	}
	if (!p->owned && !p->mode_given)
		return true;
	say_error("--port %s: %s=: the switch connects to the socket, so that its owner and mode are "
		  "what QEMU gives it: leave it out",
			p->name, p->owned ? "owner" : "mode");
	return false;
}

/* Returns true if no other port names the tag that a port has by its slot. */
static bool
resolve_tag_ok(const struct conf *c, unsigned int i)
{
	uint16_t tag = conf_vlan(c, i);
	unsigned int k;

	for (k = 0; k < c->nports && c->vlan_base != 0 && !c->port[i].vlan_given; k++) {
		if (!conf_port_used(&c->port[k]) || !c->port[k].vlan_given ||
				c->port[k].vlan != tag)
			continue;
		say_error("--port %s: vlan=%u: is the tag that port %s has by its slot, "
			  "--vlan-base + %u; choose another, or give that one a vlan= as well",
				c->port[k].name, tag, c->port[i].name, i);
		return false;
	}
	return true;
}

static int
resolve_compare_macs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rte_ether_addr));
}

/* Lists the addresses that ports name. */
static void
resolve_list_macs(struct conf *c)
{
	unsigned int i, k;

	c->nmacs = 0;
	for (i = 0; i < c->nports; i++) /* a free entry has none */
		for (k = 0; k < c->port[i].nmacs; k++)
			c->mac[c->nmacs++] = c->port[i].mac[k];
	qsort(c->mac, c->nmacs, sizeof(c->mac[0]), resolve_compare_macs);
}

void
conf_port_name_all(struct conf *c)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (c->port[i].name[0] == '\0')
			conf_port_name(c, &c->port[i]);
}

/* An option that can't be fulfilled is an error; it is never ignored. */
static bool
resolve_refuse(const char *option, const char *why)
{
	say_error("%s: %s", option, why);
	return false;
}

/* Checks the options against each other, and against the resolved ports. */
static bool
resolve_switch_ok(const struct conf *c)
{
	if (c->vm2vm == VM2VM_UPLINK && !c->uplink)
		return resolve_refuse("--vm2vm 0",
				"everything goes to the uplink, and there is none: "
				"give one with -p, or use --vm2vm 1");
	if (c->vm2vm == VM2VM_NIC && (!c->uplink || c->vmdq == VMDQ_OFF || !c->tagged))
		return resolve_refuse("--vm2vm 2",
				"the NIC switches between VMDq pools, by tag: that needs -p, and "
				"neither --vmdq 0 nor --vlan-base 0; or use --vm2vm 1");
	if (c->vmdq == VMDQ_ON && !c->uplink)
		return resolve_refuse(
				"--vmdq 1", "there is no uplink that could sort: give one with -p");
	if (c->vmdq == VMDQ_ON && !c->tagged)
		return resolve_refuse("--vmdq 1",
				"VMDq pools are chosen by tag, and with --vlan-base 0 there is "
				"none: use --vmdq 0, or leave it out");
	if (c->promiscuous && !c->uplink)
		return resolve_refuse(
				"-P", "there is no uplink to make promiscuous: give one with -p");
	if (c->total_num_mbufs != 0 && !c->uplink)
		return resolve_refuse("--total-num-mbufs",
				"only an uplink has mbufs, and there is none: give one with -p");
	return true;
}

/* Completes all ports, and checks that they are compatible with each other. */
static bool
resolve_ports(struct conf *c)
{
	struct conf_port *p;
	unsigned int i;

	for (i = 0; i < c->nports; i++) {
		p = &c->port[i];
		if (conf_port_used(p) && (!resolve_role(c, p) || !resolve_owner(c, p)))
			return false;
	}
	for (i = 0; i < c->nports; i++)
		if (conf_port_used(&c->port[i]) && !resolve_tag_ok(c, i))
			return false;
	conf_make_tables(c);
	return resolve_offers(c);
}

bool
conf_resolve(struct conf *c)
{
	if (c->tso && c->tx_csum_given && !c->tx_csum)
		return resolve_refuse("--tso 1",
				"segments need checksums: leave --tx-csum 0 out, or use --tso 0");
	return resolve_ports(c) && resolve_switch_ok(c);
}

bool
conf_mac_named(const struct conf *c, const struct rte_ether_addr *mac)
{
	return c->nmacs != 0 &&
			bsearch(mac, c->mac, c->nmacs, sizeof(c->mac[0]), resolve_compare_macs) !=
			NULL;
}

/* Adds a port to those with this tag. */
static void
resolve_claim_tag(struct conf *c, uint16_t vid, uint16_t owner)
{
	uint16_t *o = &c->tag_owner[vid];

	*o = *o == TAG_NOBODY ? owner : TAG_SHARED;
}

void
conf_map_tags(struct conf *c)
{
	const struct conf_port *p;
	unsigned int i;

	c->tagged = c->vlan_base != 0;
	for (i = 0; i < RTE_DIM(c->tag_owner); i++)
		c->tag_owner[i] = TAG_NOBODY;
	for (i = 0; i < c->nports; i++) {
		p = &c->port[i];
		if (!p->vlan_given)
			continue;
		c->tagged |= p->vlan != 0;
		resolve_claim_tag(c, p->vlan, p->guests == 1 ? i : TAG_SHARED);
	}
	/* A tag that ports name belongs to those ports alone. */
	for (i = 0; i < GUEST_MAX; i++) {
		if (i < c->nports && c->port[i].vlan_given)
			continue;
		if (c->vlan_base == 0)
			c->tag_owner[0] = TAG_SHARED;
		else if (conf_vlan(c, i) <= VLAN_LAST &&
				c->tag_owner[conf_vlan(c, i)] == TAG_NOBODY)
			c->tag_owner[conf_vlan(c, i)] = i;
	}
}

unsigned int
conf_find_port(const struct conf *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (conf_port_used(&c->port[i]) && strcmp(c->port[i].name, name) == 0)
			return i;
	return SOCKET_MAX;
}

void
conf_take_ports(struct conf *to, const struct conf *from)
{
	memcpy(to->port, from->port, sizeof(to->port));
	to->nports = from->nports;
}

void
conf_make_tables(struct conf *c)
{
	conf_map_tags(c);
	resolve_list_macs(c);
}

uint32_t
conf_mtu(const struct conf *c)
{
	return c->offers.mergeable ? 9000 : RTE_ETHER_MTU;
}

uint32_t
conf_frame_max(const struct conf *c)
{
	return conf_frame_of(conf_mtu(c));
}

uint32_t
conf_frame_of(uint32_t mtu)
{
	return mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
}
