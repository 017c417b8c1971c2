/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Telemetry commands: see telemetry.h for the list.
 *
 * rte_telemetry gives its callbacks no argument of ours: hence this file's variables. An answer may
 * be a few frames old; it changes nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>
#include <rte_version.h>

#include "base/atomic.h"
#include "base/number.h"
#include "switch/fdb.h"
#include "guest/device.h"
#include "guest/guest.h"
#include "guest/slot.h"
#include "base/version.h"
#include "conf/conf.h"
#include "guest/guests.h"
#include "run/load.h"
#include "run/parts.h"
#include "run/stats.h"
#include "run/telemetry.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/port.h"
#include "uplink/link.h"
#include "uplink/uplink.h"

/* 23.03 gave the call a new name. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

static const struct parts *all; /* NULL after telemetry_stop(); see `busy` */
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER; /* held by an answer */

static bool
telemetry_in_use(const struct parts *p, unsigned int port)
{
	if (port == PORT_UPLINK)
		return p->uplink != NULL;
	return port < ports_used(p->ports) && port_state(&p->ports->port[port]) == PORT_USED;
}

static void
telemetry_port_name(unsigned int port, char *name, size_t size)
{
	if (port == PORT_UPLINK)
		snprintf(name, size, "uplink");
	else
		snprintf(name, size, "%u", port);
}

static int
telemetry_list_ports(const struct parts *p, const char *params, struct rte_tel_data *d)
{
	char name[16];
	unsigned int i;

	RTE_SET_USED(params);
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (i = 0; i < PORT_MAX; i++) {
		if (!telemetry_in_use(p, i))
			continue;
		telemetry_port_name(i, name, sizeof(name));
		rte_tel_data_add_array_string(d, name);
	}
	return 0;
}

static void
telemetry_add_counter(void *d, const char *name, uint64_t value)
{
	rte_tel_data_add_dict_uint(d, name, value);
}

/* Adds how many rings of a device are in use, for receiving and for transmitting. */
static void
telemetry_add_rings(struct rte_tel_data *d, const struct parts *p, unsigned int port)
{
	const struct guest *g = NULL;

	if (port != PORT_UPLINK)
		g = load_acquire(&p->guests->by_slot[port]);
	if (g == NULL)
		return;
	rte_tel_data_add_dict_uint(d, "receive_rings", guest_rings(g, RINGS_RX));
	rte_tel_data_add_dict_uint(d, "transmit_rings", guest_rings(g, RINGS_TX));
}

/* Returns the port of a parameter: `uplink`, a device's index, or its name. PORT_MAX: none. */
static unsigned int
telemetry_find_port(const struct parts *p, const char *params)
{
	unsigned int slot;
	uint64_t index;

	if (strcmp(params, "uplink") == 0)
		return PORT_UPLINK;
	if (number_parse(params, 10, GUEST_MAX - 1, &index))
		return index;
	slot = slot_find(p->ports, params);
	return slot != GUEST_MAX ? slot : PORT_MAX;
}

static int
telemetry_show_port(const struct parts *p, const char *params, struct rte_tel_data *d)
{
	struct port_count sum;
	char name[SLOT_NAME_MAX];
	unsigned int port;

	if (params == NULL || *params == '\0')
		return -EINVAL;
	port = telemetry_find_port(p, params);
	if (port == PORT_MAX)
		return -EINVAL;
	if (!telemetry_in_use(p, port))
		return -ENODEV;
	stats_port(p, port, &sum);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", slot_name(p->ports, port, name));
	rte_tel_data_add_dict_uint(d, "vlan", port_vlan(&p->ports->port[port]));
	rte_tel_data_add_dict_uint(d, "addresses", fdb_count(p->fdb, port));
	if (port == PORT_UPLINK)
		rte_tel_data_add_dict_string(d, "link", uplink_link_text(p->uplink));
	telemetry_add_rings(d, p, port);
	stats_show(&sum, telemetry_add_counter, d);
	stats_show_drops(&sum, telemetry_add_counter, d);
	return 0;
}

static int
telemetry_show_departed(const struct parts *p, const char *params, struct rte_tel_data *d)
{
	struct port_count sum;

	RTE_SET_USED(params);
	stats_departed(p, &sum);
	rte_tel_data_start_dict(d);
	stats_show(&sum, telemetry_add_counter, d);
	stats_show_drops(&sum, telemetry_add_counter, d);
	return 0;
}

static int
telemetry_show_switch(const struct parts *p, const char *params, struct rte_tel_data *d)
{
	RTE_SET_USED(params);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "version", VHOST_SWITCH_VERSION);
	rte_tel_data_add_dict_uint(d, "workers", p->lanes->n);
	rte_tel_data_add_dict_uint(d, "addresses", fdb_used(p->fdb));
	rte_tel_data_add_dict_uint(d, "devices_stopped", load_relaxed(&p->guests->faults));
	rte_tel_data_add_dict_uint(d, "buffers_free", uplink_buffers_free(p->uplink));
	rte_tel_data_add_dict_uint(
			d, "vmdq_devices", p->uplink == NULL ? 0 : uplink_sources(p->uplink) - 1);
	return 0;
}

/* Shows what each worker did in the last second. Ratios are in millionths, as telemetry has no fractions. */
static int
telemetry_show_workers(const struct parts *p, const char *params, struct rte_tel_data *d)
{
	struct rte_tel_data *one;
	struct worker_load w;
	unsigned int i;
	char name[16];

	RTE_SET_USED(params);
	rte_tel_data_start_dict(d);
	for (i = 0; i < p->lanes->n; i++) {
		one = rte_tel_data_alloc();
		if (one == NULL)
			return -ENOMEM;
		w = loads_of(p->loads, i);
		rte_tel_data_start_dict(one);
		rte_tel_data_add_dict_uint(one, "lcore", p->lanes->lane[i]->lcore);
		rte_tel_data_add_dict_uint(one, "rings", load_rings(p->lanes->lane[i]));
		rte_tel_data_add_dict_uint(one, "busy_ppm", w.busy);
		rte_tel_data_add_dict_uint(one, "asleep_ppm", w.asleep);
		rte_tel_data_add_dict_uint(one, "frames", w.frames);
		rte_tel_data_add_dict_uint(one, "cycles_per_frame", w.cycles);
		snprintf(name, sizeof(name), "%u", i);
		rte_tel_data_add_dict_container(d, name, one, 0);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*answer)(const struct parts *p, const char *params, struct rte_tel_data *d);
	const char *help;
} commands[] = {
		{"/vhost_switch/ports", telemetry_list_ports,
				"The ports in use. Takes no parameters"},
		{"/vhost_switch/port", telemetry_show_port,
				"Counters of a port. Parameter: a device's name or index, or uplink"},
		{"/vhost_switch/departed", telemetry_show_departed,
				"Counters of guests that have left. Takes no parameters"},
		{"/vhost_switch/switch", telemetry_show_switch,
				"The switch as a whole. Takes no parameters"},
		{"/vhost_switch/workers", telemetry_show_workers,
				"What each worker did in the last second. Takes no parameters"},
};

static int
telemetry_dispatch(const char *cmd, const char *params, struct rte_tel_data *d)
{
	int rc = -ENODEV;
	size_t i;

	pthread_mutex_lock(&busy);
	for (i = 0; i < RTE_DIM(commands); i++)
		if (all != NULL && strcmp(cmd, commands[i].name) == 0)
			rc = commands[i].answer(all, params, d);
	pthread_mutex_unlock(&busy);
	return rc;
}

void
telemetry_start(const struct parts *p)
{
	size_t i;

	all = p;
	for (i = 0; i < RTE_DIM(commands); i++)
		rte_telemetry_register_cmd(commands[i].name, telemetry_dispatch, commands[i].help);
}

void
telemetry_pause(void)
{
	pthread_mutex_lock(&busy);
}

void
telemetry_resume(void)
{
	pthread_mutex_unlock(&busy);
}

void
telemetry_stop(void)
{
	pthread_mutex_lock(&busy);
	all = NULL;
	pthread_mutex_unlock(&busy);
}
