/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The cuse back end: see cuse.h for the contract. */
#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "guest/cuse/cuse.h"
#include "guest/cuse/node.h"
#include "guest/cuse/private.h"
#include "guest/vhost_user.h"
#include "base/log.h"
#include "conf/conf.h"
#include "guest/guests.h"

/* Milliseconds for the kernel's first request; it is made when /dev/cuse is opened. */
#define HELLO 5000

/*
 * Minor numbers of the kernel's misc devices end at 255 up to Linux 6.1, and the
 * cuse module lets us have the next ones. DPDK's virtio-user takes a device for
 * vhost-net only if it is a misc device by its major number.
 */
#define MINOR_FIRST 256
#define MINOR_LAST 511

struct cuse {
	struct private_socket socket;
	struct node *node;
	char path[sizeof("/dev/") + NODE_NAME_MAX];
	int stop_fd; /* eventfd that ends the thread */
	pthread_t thread;
	bool running;
};

static bool
cuse_name_free(const char *path)
{
	struct stat st;

	/* The kernel would report no error: it makes the device, and no node. */
	if (lstat(path, &st) != 0 && errno == ENOENT)
		return true;
	say_error("device %s: the name is taken; end the switch that serves it, or choose another "
		  "with --dev-basename",
			path);
	return false;
}

static int
cuse_open(void)
{
	/* It is non-blocking, as a request that poll() has announced can be withdrawn. */
	int fd = open("/dev/cuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		say_error("/dev/cuse: %s; run the switch as root", strerror(errno));
	else
		say_error("/dev/cuse: %s; load the kernel's module: modprobe cuse",
				strerror(errno));
	return -1;
}

/* Answers the kernel's first request, which makes the device. */
static bool
cuse_announce(struct cuse *c)
{
	struct pollfd p = {.fd = node_fd(c->node), .events = POLLIN};

	while (!node_announced(c->node))
		if (poll(&p, 1, HELLO) != 1 || !node_process(c->node))
			return false;
	/* If the kernel refuses the device, it hangs up. */
	return poll(&p, 1, 0) == 0 || !(p.revents & (POLLERR | POLLHUP));
}

/* Returns true if the node has the number that sysfs tells of our device. */
static bool
cuse_node_is_ours(const struct cuse *c, const char *name)
{
	char file[sizeof("/sys/class/cuse//dev") + NODE_NAME_MAX];
	unsigned int major, minor;
	struct stat st;
	FILE *f;
	int n;

	snprintf(file, sizeof(file), "/sys/class/cuse/%s/dev", name);
	f = fopen(file, "re");
	if (f == NULL)
		return false;
	n = fscanf(f, "%u:%u", &major, &minor);
	fclose(f);
	return n == 2 && lstat(c->path, &st) == 0 && S_ISCHR(st.st_mode) &&
			st.st_rdev == makedev(major, minor);
}

static unsigned int
cuse_free_minor(void)
{
	unsigned int minor;
	char path[64];

	for (minor = MINOR_FIRST; minor < MINOR_LAST; minor++) {
		snprintf(path, sizeof(path), "/sys/dev/char/%d:%u", MISC_MAJOR, minor);
		if (access(path, F_OK) != 0)
			break;
	}
	return minor;
}

/* Makes the device with that number; with major 0 the kernel chooses one. */
static bool
cuse_make_device(struct cuse *c, const char *name, unsigned int major, unsigned int minor)
{
	int fd = cuse_open();

	if (fd < 0)
		return false;
	c->node = node_create(fd, name, major, minor, c->socket.path);
	if (c->node == NULL) {
		say_error("device %s: no memory for its session", c->path);
		return false;
	}
	if (cuse_announce(c))
		return true;
	node_destroy(c->node);
	c->node = NULL;
	/* Later kernels reserve all minors of the misc devices: take any number then. */
	if (major != 0)
		return cuse_make_device(c, name, 0, 0);
	say_error("device %s: the kernel refused to make it; choose another name with "
		  "--dev-basename",
			c->path);
	return false;
}

static bool
cuse_make_node(struct cuse *c, const struct conf *conf)
{
	if (!cuse_make_device(c, conf->node, MISC_MAJOR, cuse_free_minor()))
		return false;
	if (!cuse_node_is_ours(c, conf->node)) {
		say_error("device %s: did not appear; /dev must be a devtmpfs, and no one else "
			  "make a file of that name",
				c->path);
		return false;
	}
	/* The mode is set first, as what was given away can't be changed without CAP_FOWNER. */
	if (chmod(c->path, conf->node_mode) != 0 ||
			(conf->node_owned && chown(c->path, conf->node_uid, conf->node_gid) != 0)) {
		say_error("device %s: its owner and mode can't be set: %s; the switch needs the rights of root "
			  "(CAP_CHOWN)",
				c->path, strerror(errno));
		return false;
	}
	return true;
}

static void *
cuse_run(void *arg)
{
	struct cuse *c = arg;
	struct pollfd p[] = {
			{.fd = c->stop_fd, .events = POLLIN},
			{.fd = node_fd(c->node), .events = POLLIN},
	};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue; /* EINTR */
		if (p[0].revents != 0)
			return NULL;
		if (!node_process(c->node)) {
			say(ERR, "device %s: the kernel ended it; start the switch again\n",
					c->path);
			return NULL;
		}
	}
}

/* The thread inherits the main lcore's CPU, on which no thread polls. */
static bool
cuse_start_thread(struct cuse *c)
{
	int error;

	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	error = c->stop_fd < 0 ? errno : pthread_create(&c->thread, NULL, cuse_run, c);
	if (error != 0) {
		say_error("device %s: no thread for it: %s", c->path, strerror(error));
		return false;
	}
	pthread_setname_np(c->thread, "cuse");
	c->running = true;
	return true;
}

bool
cuse_start(struct cuse **made, struct guests *guests)
{
	const struct conf *conf = guests->conf;
	struct cuse *c;

	*made = NULL;
	if (conf->node[0] == '\0')
		return true;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		say_error("device %s: no memory", conf->node);
		return false;
	}
	*made = c;
	c->stop_fd = c->socket.handle = -1;
	snprintf(c->path, sizeof(c->path), "/dev/%s", conf->node);
	return cuse_name_free(c->path) && private_serve(&c->socket, guests) &&
			cuse_make_node(c, conf) && cuse_start_thread(c);
}

void
cuse_stop(struct cuse *c)
{
	if (c == NULL)
		return;
	if (c->running) {
		eventfd_write(c->stop_fd, 1);
		pthread_join(c->thread, NULL);
	}
	node_destroy(c->node);
	private_end(&c->socket);
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	free(c);
}
