/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* librte_vhost as the other end: see vhost_end.h. Its callbacks come in its own thread. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>
#include <rte_vhost.h>

#include "base/atomic.h"
#include "client.h"
#include "unit.h"
#include "vhost_end.h"

/* Seconds: generous, as the machine may be busy. */
#define DEADLINE 60

struct vhost_end vhost_end;

static int
on_connection(int vid)
{
	if (load_acquire(&vhost_end.refuse))
		return -1;
	vhost_end.vid = vid;
	vhost_end.enabled[0] = vhost_end.enabled[1] = false;
	add_release(&vhost_end.connections, 1);
	return 0;
}

static void
on_disconnection(int vid)
{
	RTE_SET_USED(vid);
	if (!load_acquire(&vhost_end.refuse))
		sub_release(&vhost_end.connections, 1);
}

static void
be_late(void)
{
	const struct timespec late = {.tv_nsec = LATE_MS * 1000000};

	nanosleep(&late, NULL);
}

static int
on_device(int vid)
{
	RTE_SET_USED(vid);
	be_late();
	store_release(&vhost_end.running, true);
	return 0;
}

static void
on_device_end(int vid)
{
	RTE_SET_USED(vid);
	store_release(&vhost_end.running, false);
}

static int
on_ring(int vid, uint16_t ring, int enable)
{
	RTE_SET_USED(vid);
	if (enable)
		be_late();
	store_release(&vhost_end.enabled[ring], enable != 0);
	return 0;
}

static const struct rte_vhost_device_ops operations = {
		.new_connection = on_connection,
		.destroy_connection = on_disconnection,
		.new_device = on_device,
		.destroy_device = on_device_end,
		.vring_state_changed = on_ring,
};

int
vhost_end_setup(void **state)
{
	const uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ANY_LAYOUT |
			1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_NET_F_CTRL_VQ |
			1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
			1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO4 |
			1ULL << VHOST_USER_F_PROTOCOL_FEATURES;

	if (unit_eal(state) != 0)
		return -1;
	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_EMERG); /* it logs each refusal */
	snprintf(vhost_end.folder, sizeof(vhost_end.folder), "/tmp/vs-unit-XXXXXX");
	if (mkdtemp(vhost_end.folder) == NULL)
		return -1;
	snprintf(vhost_end.path, sizeof(vhost_end.path), "%s/vhost", vhost_end.folder);
	if (rte_vhost_driver_register(vhost_end.path, 0) != 0 ||
			rte_vhost_driver_set_features(vhost_end.path, features) != 0 ||
			rte_vhost_driver_set_protocol_features(vhost_end.path,
					1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK) != 0 ||
			rte_vhost_driver_callback_register(vhost_end.path, &operations) != 0)
		return -1;
	return rte_vhost_driver_start(vhost_end.path);
}

int
vhost_end_teardown(void **state)
{
	int rc = rte_vhost_driver_unregister(vhost_end.path);

	rc |= rmdir(vhost_end.folder);
	return unit_eal_end(state) | rc;
}

static void
pause_briefly(time_t deadline)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	assert_true(time(NULL) < deadline);
	nanosleep(&ms, NULL);
}

void
vhost_end_check_running(void)
{
	assert_true(load_acquire(&vhost_end.running));
}

void
vhost_end_check_enabled(unsigned int ring)
{
	assert_true(load_acquire(&vhost_end.enabled[ring]));
}

void
vhost_end_wait_stopped(void)
{
	time_t deadline = time(NULL) + DEADLINE;

	while (load_acquire(&vhost_end.running))
		pause_briefly(deadline);
}

void
vhost_end_wait_disabled(unsigned int ring)
{
	time_t deadline = time(NULL) + DEADLINE;

	while (load_acquire(&vhost_end.enabled[ring]))
		pause_briefly(deadline);
}

void
vhost_end_wait_connections(unsigned int n)
{
	time_t deadline = time(NULL) + DEADLINE;

	while (load_acquire(&vhost_end.connections) != n)
		pause_briefly(deadline);
}

void
vhost_end_wait_files(unsigned int n)
{
	time_t deadline = time(NULL) + DEADLINE;

	while (client_open_files() != n)
		pause_briefly(deadline);
}
