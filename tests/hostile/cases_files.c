/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Files whose owner can make others wait, sent as memory or as eventfds. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "cases.h"
#include "withheld.h"

#define SIZE (2UL << 20)

/* How long the message may delay others: the switch must not wait for the file at all. */
#define WAIT_MS 20000

struct use {
	uint32_t request;
	uint32_t size;
	uint64_t value;
	unsigned n_fds;
};

static struct vu_msg
message(const struct use *u, int fd)
{
	struct vu_msg msg = vu_msg_new(u->request);

	msg.flags |= VU_NEED_REPLY;
	msg.size = u->size;
	msg.payload.u64 = u->value;
	if (u->request == VU_SET_MEM_TABLE) {
		msg.payload.mem.n_regions = 1;
		msg.payload.mem.region[0] = (struct vu_table_region){.size = SIZE};
	} else if (u->request == VU_SET_LOG_BASE) {
		msg.payload.u64 = SIZE;
	}
	for (unsigned i = 0; i < u->n_fds; i++)
		msg.fd[i] = fd;
	msg.n_fds = (int)u->n_fds;
	return msg;
}

/* The file comes with a message of a guest that is being set up, and its owner does not answer. */
static void
run_withheld(struct hostile *h, const void *arg)
{
	struct vu_msg msg;
	int fd = -1, sock;
	struct withheld *w = withheld_open(SIZE, &fd);

	MUST(h, w != NULL, "no FUSE file system could be mounted: %s", strerror(errno));
	sock = party_socket(h);
	if (sock >= 0) {
		msg = message(arg, fd);
		withheld_hold(w);
		EXPECT(h, vu_send(sock, &msg) == 0, "not sent");
		party_newcomers(h, WAIT_MS);
		EXPECT(h,
				subject_log_wait(&h->subject, h->log_mark,
						"a front end sent a file descriptor of file system fuse",
						PATIENCE_MS) != NULL,
				"the log does not name the file system");
		close(sock);
		party_newcomers(h, WAIT_MS);
	}
	withheld_close(w);
}

/* A file on a disk: its owner may be honest, but who serves the disk is unknown. */
static void
run_disk(struct hostile *h, const void *arg)
{
	struct vu_msg msg;
	struct statfs fs;
	int sock, fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	MUST(h, fd >= 0 && ftruncate(fd, SIZE) == 0 && fstatfs(fd, &fs) == 0, "no file");
	MUST(h, fs.f_type != TMPFS_MAGIC, "/var/tmp is a tmpfs: no disk");
	sock = party_socket(h);
	if (sock >= 0) {
		msg = message(arg, fd);
		EXPECT(h, vu_send(sock, &msg) == 0, "not sent");
		EXPECT(h,
				subject_log_wait(&h->subject, h->log_mark,
						"memory must be memfd, tmpfs or hugetlbfs",
						PATIENCE_MS) != NULL,
				"the log does not say what it takes");
		close(sock);
	}
	close(fd);
	party_newcomers(h, WAIT_MS);
}

#define USE(...) \
	&(const struct use) \
	{ \
		__VA_ARGS__ \
	}

const struct hcase cases_files[] = {
		{"file-table", "memory in a file of a file system that does not answer: others are served",
				run_withheld, USE(VU_SET_MEM_TABLE, 40, 0, 1)},
		{"file-log", "a dirty log in such a file", run_withheld,
				USE(VU_SET_LOG_BASE, 16, 0, 1)},
		{"file-call", "such a file to signal a ring by", run_withheld,
				USE(VU_SET_VRING_CALL, 8, 0, 1)},
		{"file-unwanted",
				"such files with a message that takes none: even to close them waits",
				run_withheld, USE(VU_GET_FEATURES, 0, 0, 3)},
		{"file-size", "such files with a message that is refused for its size",
				run_withheld, USE(VU_SET_FEATURES, 4000, 0, 8)},
		{"file-disk", "memory in a file on a disk: refused, and the log says what it takes",
				run_disk, USE(VU_SET_MEM_TABLE, 40, 0, 1)},
		{.name = NULL},
};
