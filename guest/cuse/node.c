/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The character device: see node.h for the contract. */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <cuse_lowlevel.h>
#include <fuse_opt.h>

#include "guest/cuse/session.h"
#include "guest/cuse/ioctls.h"
#include "guest/cuse/node.h"
#include "base/log.h"

/* The largest result of an ioctl: a u64, or a ring's state. */
#define OUT_MAX 8

struct open_file {
	LIST_ENTRY(open_file) entry;
	struct session session;
};

struct node {
	struct fuse_session *session;
	struct fuse_buf buf; /* libfuse allocates its memory at the first request */
	const char *path;
	bool announced;
	LIST_HEAD(open_files, open_file) files;
};

static struct open_file *
node_file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

static void
node_on_announced(void *userdata)
{
	struct node *n = userdata;

	n->announced = true;
}

static void
node_on_open(fuse_req_t req, struct fuse_file_info *fi)
{
	struct node *n = fuse_req_userdata(req);
	struct open_file *f = malloc(sizeof(*f));

	if (f == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	session_init(&f->session, n->path);
	LIST_INSERT_HEAD(&n->files, f, entry);
	fi->fh = (uintptr_t)f;
	fuse_reply_open(req, fi);
}

static void
node_on_release(fuse_req_t req, struct fuse_file_info *fi)
{
	struct open_file *f = node_file_of(fi);

	LIST_REMOVE(f, entry);
	session_close(&f->session);
	free(f);
	fuse_reply_err(req, 0);
}

/*
 * The kernel first sends an ioctl without its argument, whose size it can't know. It is told what
 * to fetch from the caller, and sends the ioctl again. A memory table takes one more turn: its head
 * tells the size of the rest.
 */
static void
node_on_ioctl(fuse_req_t req, int cmd, void *arg, struct fuse_file_info *fi, unsigned int flags,
		const void *in, size_t in_size, size_t out_size)
{
	struct iovec in_iov = {.iov_base = arg}, out_iov = {.iov_base = arg};
	unsigned char out[OUT_MAX];
	int rc;

	(void)flags; /* all structs are the same for 32-bit clients */
	/* libfuse passes the number as an int: those of the upper half are negative. */
	rc = ioctl_sizes((unsigned int)cmd, in, in_size, &in_iov.iov_len, &out_iov.iov_len);
	if (rc == 0 && (in_size < in_iov.iov_len || out_size < out_iov.iov_len)) {
		fuse_reply_ioctl_retry(
				req, &in_iov, in_iov.iov_len != 0, &out_iov, out_iov.iov_len != 0);
		return;
	}
	if (rc == 0)
		rc = session_ioctl(&node_file_of(fi)->session, fuse_req_ctx(req)->pid,
				(unsigned int)cmd, in, out);
	if (rc == 0)
		fuse_reply_ioctl(req, 0, out, out_iov.iov_len);
	else
		fuse_reply_err(req, -rc);
}

static const struct cuse_lowlevel_ops operations = {
		.init_done = node_on_announced,
		.open = node_on_open,
		.release = node_on_release,
		.ioctl = node_on_ioctl,
};

/* libfuse's messages go to the switch's log. */
static void
node_log_fuse(enum fuse_log_level level, const char *format, va_list args)
{
	rte_vlog(level <= FUSE_LOG_ERR ? RTE_LOG_WARNING : RTE_LOG_DEBUG, log_switch, format, args);
}

static struct fuse_session *
node_make_session(int fd, const char *name, unsigned int major, unsigned int minor, struct node *n)
{
	static char program[] = "vhost-switch";
	char *argv[] = {program, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	char device[280], channel[32];
	const char *info[] = {device};
	const struct cuse_info ci = {
			.dev_major = major,
			.dev_minor = minor,
			.dev_info_argc = 1,
			.dev_info_argv = info,
			.flags = CUSE_UNRESTRICTED_IOCTL,
	};
	struct fuse_session *se;

	snprintf(device, sizeof(device), "DEVNAME=%s", name);
	snprintf(channel, sizeof(channel), "/dev/fd/%d", fd);
	se = cuse_lowlevel_new(&args, &ci, &operations, n);
	fuse_opt_free_args(&args);
	if (se == NULL)
		return NULL;
	/* Instead of a mount point libfuse gets the file descriptor of the session's channel. */
	if (fuse_session_mount(se, channel) == 0)
		return se;
	fuse_session_destroy(se);
	return NULL;
}

struct node *
node_create(int fd, const char *name, unsigned int major, unsigned int minor, const char *path)
{
	struct node *n = calloc(1, sizeof(*n));

	fuse_set_log_func(node_log_fuse);
	if (n != NULL) {
		n->path = path;
		LIST_INIT(&n->files);
		n->session = node_make_session(fd, name, major, minor, n);
	}
	if (n != NULL && n->session != NULL)
		return n;
	free(n);
	close(fd);
	return NULL;
}

int
node_fd(const struct node *n)
{
	return fuse_session_fd(n->session);
}

bool
node_process(struct node *n)
{
	int rc = fuse_session_receive_buf(n->session, &n->buf);

	if (rc == -EINTR || rc == -EAGAIN)
		return true;
	if (rc <= 0)
		return false;
	fuse_session_process_buf(n->session, &n->buf);
	return !fuse_session_exited(n->session);
}

bool
node_announced(const struct node *n)
{
	return n->announced;
}

void
node_destroy(struct node *n)
{
	struct open_file *f, *next;

	if (n == NULL)
		return;
	fuse_session_destroy(n->session); /* closes the channel */
	for (f = LIST_FIRST(&n->files); f != NULL; f = next) {
		next = LIST_NEXT(f, entry);
		session_close(&f->session);
		free(f);
	}
	free(n->buf.mem);
	free(n);
}
