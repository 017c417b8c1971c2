/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Messages in an order of one's own. See order.h. */
#include "order.h"

#include <errno.h>
#include <string.h>

static int
bare(struct vu_dev *dev, uint32_t request)
{
	struct vu_msg msg = vu_msg_new(request);

	return vu_dev_request(dev, &msg);
}

static int
state(struct vu_dev *dev, uint32_t request, unsigned ring, uint32_t value)
{
	struct vu_msg msg = vu_msg_state(request, ring, value);

	return vu_dev_request(dev, &msg);
}

static int
do_mem(struct vu_dev *dev, unsigned ring)
{
	(void)ring;
	return vu_dev_set_mem(dev);
}

static int
do_features(struct vu_dev *dev, unsigned ring)
{
	(void)ring;
	return vu_dev_set_features(dev, dev->features);
}

static int
do_owner(struct vu_dev *dev, unsigned ring)
{
	(void)ring;
	return bare(dev, VU_SET_OWNER);
}

static int
do_reset_owner(struct vu_dev *dev, unsigned ring)
{
	(void)ring;
	return bare(dev, VU_RESET_OWNER);
}

static int
do_sync(struct vu_dev *dev, unsigned ring)
{
	(void)ring;
	return vu_dev_sync(dev);
}

static int
do_num(struct vu_dev *dev, unsigned ring)
{
	return state(dev, VU_SET_VRING_NUM, ring, dev->ring[ring].size);
}

static int
do_base(struct vu_dev *dev, unsigned ring)
{
	return state(dev, VU_SET_VRING_BASE, ring, vr_base(&dev->ring[ring]));
}

static int
do_call(struct vu_dev *dev, unsigned ring)
{
	return vu_dev_set_fd(dev, VU_SET_VRING_CALL, ring, dev->ring[ring].call_fd);
}

static int
do_kick(struct vu_dev *dev, unsigned ring)
{
	return vu_dev_set_fd(dev, VU_SET_VRING_KICK, ring, dev->ring[ring].kick_fd);
}

static int
do_err(struct vu_dev *dev, unsigned ring)
{
	return vu_dev_set_fd(dev, VU_SET_VRING_ERR, ring, dev->ring[ring].call_fd);
}

static int
do_enable(struct vu_dev *dev, unsigned ring)
{
	return state(dev, VU_SET_VRING_ENABLE, ring, 1);
}

static int
do_disable(struct vu_dev *dev, unsigned ring)
{
	return state(dev, VU_SET_VRING_ENABLE, ring, 0);
}

static int
do_get_base(struct vu_dev *dev, unsigned ring)
{
	return vu_dev_get_vring_base(dev, ring, NULL);
}

static const struct word {
	const char *name;
	int (*run)(struct vu_dev *dev, unsigned ring);
	bool of_device;
} words[] = {
		{"mem", do_mem, true},
		{"features", do_features, true},
		{"owner", do_owner, true},
		{"reset_owner", do_reset_owner, true},
		{"sync", do_sync, true},
		{"num", do_num, false},
		{"base", do_base, false},
		{"addr", vu_dev_set_vring_addr, false},
		{"call", do_call, false},
		{"kick", do_kick, false},
		{"err", do_err, false},
		{"enable", do_enable, false},
		{"disable", do_disable, false},
		{"get_base", do_get_base, false},
};

static const struct word *
find(const char *name, size_t len)
{
	for (const struct word *w = words; w < words + sizeof(words) / sizeof(words[0]); w++)
		if (strlen(w->name) == len && memcmp(w->name, name, len) == 0)
			return w;
	return NULL;
}

/* Does all that is joined, for one ring. What concerns the device is done with the first ring. */
static int
run_joined(struct vu_dev *dev, const char *text, size_t len, unsigned ring)
{
	const char *end = text + len;
	const struct word *w;
	size_t n;
	int err;

	for (; text < end; text += n + 1) {
		n = strcspn(text, "+ ");
		w = find(text, n);
		if (w == NULL)
			return -EINVAL;
		err = w->of_device && ring > 0 ? 0 : w->run(dev, ring);
		if (err < 0)
			return err;
	}
	return 0;
}

int
vu_order(struct vu_dev *dev, const char *order)
{
	size_t len;
	int err;

	for (; *order != '\0'; order += len) {
		order += strspn(order, " ");
		len = strcspn(order, " ");
		for (unsigned ring = 0; ring < dev->n_rings; ring++) {
			err = run_joined(dev, order, len, ring);
			if (err < 0)
				return err;
		}
	}
	return 0;
}
