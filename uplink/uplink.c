/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The life of the uplink, and who sorts: see uplink.h for the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "switch/retry.h"
#include "frame/offload.h"
#include "switch/park.h"
#include "uplink/uplink.h"
#include "uplink/link.h"
#include "uplink/uplink_priv.h"

/* The queue of a port that does not sort. */
static const struct vmdq_pool only_queue = {.first = 0, .step = 1, .n = 1};

static void
uplink_say_settings(const struct uplink *u, const struct rte_eth_dev_info *info)
{
	char sorted[64] = "sorted in software";

	if (u->vmdq)
		snprintf(sorted, sizeof(sorted), "sorted by VMDq for devices 0 to %d",
				u->plan.devices - 1);
	say(INFO, "uplink is port %u (%s), %s, VLAN tags %s%s\n", u->port, info->driver_name,
			sorted, u->insert_hw ? "added by the port" : "added in software",
			!u->strip                     ? ""
					: u->strip_hw ? ", stripped by the port"
						      : ", stripped in software");
}

/* Makes the sources: one for frames that are sorted in software, and one for each device's pool. */
static bool
uplink_make_pools(struct uplink *u)
{
	struct uplink_pool *p;
	unsigned int i;

	u->npools = u->vmdq ? 1 + u->plan.devices : 1;
	u->pool = rte_zmalloc("uplink pools", u->npools * sizeof(*u->pool), RTE_CACHE_LINE_SIZE);
	for (i = 0; u->pool != NULL && i < u->npools; i++) {
		p = &u->pool[i];
		p->uplink = u;
		p->source.ops = &uplink_source_ops;
		p->source.port = PORT_UPLINK;
		p->source.device = i == 0 ? SOURCE_ANY : i - 1;
		p->source.park = park_create();
		if (p->source.park == NULL)
			break;
		if (i > 0)
			p->queues = vmdq_pool(&u->plan, i - 1);
		else
			p->queues = u->vmdq ? vmdq_software(&u->plan) : only_queue;
	}
	if (u->pool != NULL && u->vmdq && u->plan.software_twice)
		u->pool[0].source.copied = u->plan.devices;
	if (u->pool != NULL && i == u->npools)
		return true;
	say_error("no memory for the uplink: reserve more hugepages");
	return false;
}

/*
 * Decides who sorts: u->vmdq. Returns false, after an error was printed, if the port can't do what
 * was asked for.
 */
static bool
uplink_choose_sorting(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info)
{
	bool has = vmdq_make_plan(&u->plan, info);

	if (c->vmdq == VMDQ_ON && !has) {
		say_error("--vmdq 1: port %u (%s) has no VMDq pools that are known here: leave it "
			  "out, or use --vmdq 0",
				u->port, info->driver_name);
		return false;
	}
	if (has && c->vmdq == VMDQ_AUTO && c->offers.mergeable && u->plan.short_frames) {
		say(NOTICE,
				"port %u (%s) can't sort jumbo frames by VMDq: with --mergeable 1 it "
				"is sorted in software\n",
				u->port, info->driver_name);
		has = false;
	}
	u->vmdq = has && c->vmdq != VMDQ_OFF && c->tagged;
	if (c->vm2vm == VM2VM_NIC && !(u->vmdq && u->plan.loopback)) {
		say_error("--vm2vm 2: port %u (%s) can't switch between guests: use --vm2vm 1",
				u->port, info->driver_name);
		return false;
	}
	u->nic_tags = c->vm2vm == VM2VM_NIC;
	return true;
}

/* Changes from VMDq to software; the mbufs stay, since queues may hold some. */
static void
uplink_give_up_vmdq(struct uplink *u)
{
	u->vmdq = false;
	for (; u->npools > 1; u->npools--)
		park_destroy(u->pool[u->npools - 1].source.park);
	u->pool[0].queues = only_queue;
	u->pool[0].source.copied = 0;
}

/* Makes room for segments that wait, if frames are ever cut. */
static bool
uplink_make_pending(struct uplink *u, const struct conf *c, unsigned int nworkers)
{
	unsigned int i;

	for (i = 0; c->offers.tso && i < nworkers; i++) {
		u->tx[i].pending = rte_malloc(
				"segments", OFFLOAD_SEGMENTS_MAX * sizeof(*u->tx[i].pending), 0);
		if (u->tx[i].pending == NULL) {
			say_error("no memory for the uplink: reserve more hugepages");
			return false;
		}
	}
	return true;
}

static bool
uplink_make_and_start(struct uplink *u, const struct conf *c, unsigned int nworkers)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(u->port, &info);

	if (rc == 0 && !uplink_choose_sorting(u, c, &info))
		return false;
	if (rc == 0) {
		if (!filter_init(&u->filters, RTE_MAX(info.max_mac_addrs, 1u) - 1)) {
			say_error("no memory for the uplink");
			return false;
		}
		if (!uplink_make_pools(u) || !uplink_make_pending(u, c, nworkers) ||
				!uplink_make_mbufs(u, c, &info, nworkers))
			return false;
		rc = uplink_start_port(u, c, &info, nworkers);
	}
	if (rc != 0 && u->vmdq && c->vmdq == VMDQ_AUTO && !u->nic_tags) {
		/* This happens when virtual functions are in use: the NIC sorts for them then. */
		say(NOTICE, "port %u does not start with VMDq (%s): sorted in software\n", u->port,
				rte_strerror(-rc));
		uplink_give_up_vmdq(u);
		rc = uplink_start_port(u, c, &info, nworkers);
	}
	if (rc == 0) {
		uplink_say_settings(u, &info);
		return true;
	}
	say_error("port %u does not start: %s; is it in use elsewhere, or bound to another "
		  "driver?",
			u->port, rte_strerror(-rc));
	return false;
}

struct uplink *
uplink_open(const struct conf *c, struct ports *ports, unsigned int nworkers)
{
	struct uplink *u;

	if (!rte_eth_dev_is_valid_port(c->port_id)) {
		say_error("-p: there is no DPDK port %u; bind a NIC to a DPDK driver, or create "
			  "one with --vdev (DPDK sees %u)",
				c->port_id, rte_eth_dev_count_avail());
		return NULL;
	}
	u = rte_zmalloc("uplink", sizeof(*u), RTE_CACHE_LINE_SIZE);
	if (u == NULL) {
		say_error("no memory for the uplink: reserve more hugepages");
		return NULL;
	}
	u->sink.ops = &uplink_sink_ops;
	u->conf = c;
	u->opened.tagged = c->tagged;
	u->opened.tso = c->offers.tso;
	memcpy(u->opened.tag_owner, c->tag_owner, sizeof(u->opened.tag_owner));
	u->ports = ports;
	u->idle_pool = 1;
	u->port = c->port_id;
	u->frame_max = conf_frame_max(c);
	if (uplink_make_and_start(u, c, nworkers)) {
		store_release(&ports->port[PORT_UPLINK].sink, &u->sink);
		return u;
	}
	uplink_free(u);
	return NULL;
}

bool
uplink_allows(const struct uplink *u, const struct conf *next)
{
	unsigned int vid;

	if (u == NULL)
		return true;
	if (next->offers.tso && !u->opened.tso) {
		say_error("tso=yes: the uplink was opened without room for segments: start the "
			  "switch with --tso 1, or a port with tso=yes");
		return false;
	}
	if (next->tagged != u->opened.tagged) {
		say_error("vlan=: the uplink was opened %s, and stays so: restart the switch with "
			  "these ports",
				u->opened.tagged ? "with tags" : "untagged");
		return false;
	}
	for (vid = 0; u->vmdq && vid <= VLAN_LAST; vid++) {
		if (conf_tag_owner(next, vid) == u->opened.tag_owner[vid])
			continue;
		say_error("vlan=%u: the NIC's VMDq pools sort by the tags that ports had at start: "
			  "restart the switch with these ports, or with --vmdq 0",
				vid);
		return false;
	}
	return true;
}

/* Logs that ports have jumbo frames which the uplink, as it was opened, can't take. */
static void
uplink_say_frame_max(const struct uplink *u, const struct conf *before, const struct conf *now)
{
	if (conf_frame_max(before) > u->frame_max || conf_frame_max(now) <= u->frame_max)
		return;
	say(NOTICE,
			"port %u was opened without mergeable=yes and takes frames with %u bytes of payload at "
			"most: longer ones stay between guests until the switch is restarted with these ports\n",
			u->port, u->frame_max - conf_frame_of(0));
}

void
uplink_set_conf(struct uplink *u, const struct conf *c)
{
	if (u == NULL)
		return;
	uplink_say_frame_max(u, u->conf, c);
	u->conf = c;
}

void
uplink_stop(struct uplink *u, struct port_count *count)
{
	unsigned int i;

	if (u == NULL || !u->started)
		return;
	for (i = 0; i < u->npools; i++) {
		retry_release(&u->pool[i].source, count);
		rte_pktmbuf_free_bulk(u->pool[i].early, u->pool[i].n_early);
		u->pool[i].n_early = 0;
	}
	for (i = 0; i < WORKER_MAX; i++)
		uplink_work(u, i);
	u->ports->port[PORT_UPLINK].sink = NULL;
	link_stop(u);
	/* Drivers of the kernel's interfaces set the interface's own flag, which would stay. */
	if (u->promiscuous)
		rte_eth_promiscuous_disable(u->port);
	rte_eth_dev_stop(u->port);
}

void
uplink_free(struct uplink *u)
{
	unsigned int i;

	if (u == NULL)
		return;
	rte_eth_dev_close(u->port);
	for (i = 0; u->pool != NULL && i < u->npools; i++)
		park_destroy(u->pool[i].source.park);
	for (i = 0; i < WORKER_MAX; i++)
		rte_free(u->tx[i].pending);
	filter_free(&u->filters);
	rte_free(u->pool);
	rte_mempool_free(u->mbufs);
	rte_free(u);
}

void
uplink_tick(struct uplink *u)
{
	filter_tick(u);
	link_tick(u);
}

unsigned int
uplink_sources(const struct uplink *u)
{
	return u->npools;
}

unsigned int
uplink_buffers_free(const struct uplink *u)
{
	return u == NULL ? 0 : rte_mempool_avail_count(u->mbufs);
}

struct source *
uplink_source(struct uplink *u, unsigned int i)
{
	return &u->pool[i].source;
}
