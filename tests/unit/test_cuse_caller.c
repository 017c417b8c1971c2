/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What is taken from a client's process: its number, its file descriptors, its memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/ethernet.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vhost_types.h>

#include <rte_common.h>

#include "client.h"
#include "guest/cuse/caller.h"
#include "guest/message.h"
#include "unit.h"

#define PAGE 4096u
#define LEN (64 * PAGE)

static struct message m;
static int fd[GUEST_REGIONS];

/* The table of one region of a client. */
static int
table(pid_t pid, const void *at, uint64_t len)
{
	struct vhost_memory_region r = {0x100000, len, (uintptr_t)at, 0};

	memset(&m, 0xa5, sizeof(m));
	memset(fd, 0xff, sizeof(fd));
	return caller_table(pid, &r, 1, &m, fd);
}

/* Region i of the table must be this memory, as seen by whoever maps its file. */
static void
is_region(unsigned int i, const void *at, uint64_t len, uint8_t fill)
{
	const struct message_region r = m.payload.memory.region[i];
	uint8_t *p;
	size_t k;

	assert_true(i < m.payload.memory.nregions);
	assert_int_equal(r.user_addr, (uintptr_t)at);
	assert_int_equal(r.size, len);
	/* It is mapped as librte_vhost does it: from the beginning of the file. */
	p = mmap(NULL, r.mmap_offset + len, PROT_READ | PROT_WRITE, MAP_SHARED, fd[i], 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	for (k = 0; k < len; k += PAGE)
		assert_int_equal(p[r.mmap_offset + k], fill);
	assert_int_equal(p[r.mmap_offset + len - 1], fill);
	munmap(p, r.mmap_offset + len);
	assert_true(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
	close(fd[i]);
}

static void
test_process(void **state)
{
	struct client c = client_start();

	RTE_SET_USED(state);
	assert_int_not_equal(c.thread, c.pid);
	assert_int_equal(caller_process(c.pid), c.pid);
	assert_int_equal(caller_process(c.thread), c.pid);
	client_end(&c);
	assert_int_equal(caller_process(c.pid), -ESRCH);
	assert_int_equal(caller_process(0), -ESRCH); /* of another pid namespace */
	assert_int_equal(caller_process(-1), -ESRCH);
}

/* A process that has ended; its number may be another's by now. */
static void
test_handle(void **state)
{
	struct client c = client_start();
	int handle = caller_handle(c.thread, c.pid);

	RTE_SET_USED(state);
	assert_true(handle >= 0);
	assert_true(caller_lives(handle));
	/* A thread of another process: the number has changed its holder. */
	assert_int_equal(caller_handle(getpid(), c.pid), -ESRCH);
	client_end(&c);
	assert_false(caller_lives(handle));
	close(handle);
	assert_int_equal(caller_handle(c.thread, c.pid), -ESRCH);
	assert_true(caller_lives(-ENOSYS));
}

static void
test_fd(void **state)
{
	int event = eventfd(3, EFD_NONBLOCK), copy;
	unsigned int before;
	struct client c = client_start();
	eventfd_t value;

	RTE_SET_USED(state);
	close(event);
	before = client_open_files();
	copy = caller_fd(c.pid, event);
	assert_true(copy >= 0);
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	/* It is the same eventfd: it has the client's count. */
	assert_int_equal(eventfd_read(copy, &value), 0);
	assert_int_equal(value, 3);
	close(copy);
	assert_int_equal(caller_fd(c.pid, 987), -EBADF);
	assert_int_equal(caller_fd(c.pid, -1), -EBADF);
	client_end(&c);
	assert_int_equal(caller_fd(c.pid, event), -ESRCH);
	assert_int_equal(client_open_files(), before - 1); /* the client's end */
}

/* Makes a system call fail in this process as if the kernel did not have it. */
static bool
forget_call(unsigned int number)
{
	struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {RTE_DIM(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* On an old kernel the module takes over. Here it is asked for and is not there. */
static void
test_fd_on_old_kernel(void **state)
{
	static const unsigned int calls[] = {SYS_pidfd_open, SYS_pidfd_getfd};
	struct client c;
	int status, expected = access("/dev/eventfd-link", F_OK) == 0 ? -EBADF : -ENOSYS;
	unsigned int i;
	pid_t old;

	RTE_SET_USED(state);
	/* qemu-user keeps filters from a program, as they would meet its own calls too. */
	if (prctl(PR_GET_SECCOMP) < 0 && errno == EINVAL)
		unit_lacks("seccomp filters");
	c = client_start();
	for (i = 0; i < RTE_DIM(calls); i++) {
		old = fork();
		if (old == 0)
			_exit(forget_call(calls[i]) && caller_fd(c.pid, 987) == expected ? 0 : 1);
		assert_int_equal(waitpid(old, &status, 0), old);
		assert_int_equal(status, 0);
	}
	client_end(&c);
}

/* A file on a disk: its pages come from wherever its owner has them. */
static void
test_disk(void **state)
{
	int file = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	struct client c;
	uint8_t *at;

	RTE_SET_USED(state);
	assert_true(file >= 0 && fcntl(file, F_GET_SEALS) < 0); /* no tmpfs */
	assert_int_equal(ftruncate(file, LEN), 0);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	c = client_start();
	assert_int_equal(table(c.pid, at, LEN), -EMEDIUMTYPE);
	client_end(&c);
	munmap(at, LEN);
	close(file);
}

static void
test_memfd(void **state)
{
	uint8_t *at = client_memory(NULL, LEN, 0x5a);
	struct client c = client_start();
	unsigned int before;

	RTE_SET_USED(state);
	munmap(at, LEN);
	before = client_open_files();
	assert_int_equal(table(c.pid, at, LEN), 0);
	assert_int_equal(m.request, MSG_SET_MEM_TABLE);
	assert_int_equal(m.flags, MSG_VERSION);
	assert_int_equal(m.size, 8 + 32);
	assert_int_equal(m.payload.memory.nregions, 1);
	assert_int_equal(m.payload.memory.padding, 0);
	assert_int_equal(m.payload.memory.region[0].gpa, 0x100000);
	is_region(0, at, LEN, 0x5a);
	assert_int_equal(client_open_files(), before);
	/* A part of the memory: the offset is that in the file. */
	assert_int_equal(table(c.pid, at + 3 * PAGE, PAGE), 0);
	assert_int_equal(m.payload.memory.region[0].mmap_offset, 3 * PAGE);
	is_region(0, at + 3 * PAGE, PAGE, 0x5a);
	assert_int_equal(table(c.pid, (void *)PAGE, PAGE), -EFAULT);
	assert_int_equal(client_open_files(), before);
	client_end(&c);
	assert_int_equal(table(c.pid, at, LEN), -ESRCH);
}

/*
 * The client has leases on its files: whoever opens them waits until it gives those up, or 45 s. A refusal that took
 * longer would be of an open that waits.
 */
static void
test_leases(void **state)
{
	const struct {
		int file, lease;
	} held[] = {
			{memfd_create("lease", MFD_CLOEXEC), F_RDLCK},
			{open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), F_WRLCK},
	};
	void (*old)(int) = signal(SIGIO, SIG_IGN); /* what the kernel sends to the holder */
	unsigned int i, before;
	struct client c;
	uint8_t *at;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(held); i++) {
		assert_int_equal(ftruncate(held[i].file, LEN), 0);
		at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, held[i].file, 0);
		assert_ptr_not_equal(at, MAP_FAILED);
		assert_int_equal(fcntl(held[i].file, F_SETLEASE, held[i].lease), 0);
		c = client_start();
		before = client_open_files();
		assert_int_equal(table(c.pid, at, LEN), -EAGAIN);
		assert_int_equal(client_open_files(), before);
		assert_int_equal(fcntl(held[i].file, F_SETLEASE, F_UNLCK), 0);
		assert_int_equal(table(c.pid, at, LEN), 0);
		close(fd[0]);
		client_end(&c);
		munmap(at, LEN);
		close(held[i].file);
	}
	signal(SIGIO, old);
}

/* A file whose name has blanks and a line break, mapped from its middle, then unlinked. */
static void
test_unlinked_file(void **state)
{
	char name[] = "/dev/shm/vs unit\nXXXXXX";
	int file = mkstemp(name);
	struct client c;
	uint8_t *at;

	RTE_SET_USED(state);
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, 2 * LEN), 0);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, file, LEN);
	assert_ptr_not_equal(at, MAP_FAILED);
	memset(at, 0x77, LEN);
	close(file);
	assert_int_equal(unlink(name), 0);
	c = client_start();
	munmap(at, LEN);
	assert_int_equal(table(c.pid, at, LEN), 0);
	assert_int_equal(m.payload.memory.region[0].mmap_offset, LEN);
	is_region(0, at, LEN, 0x77);
	client_end(&c);
}

static void
test_anonymous(void **state)
{
	uint8_t *shared =
			mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t *private =
			mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct client c;

	RTE_SET_USED(state);
	memset(shared, 0x11, LEN);
	memset(private, 0x22, LEN);
	c = client_start();
	assert_int_equal(table(c.pid, shared, LEN), 0);
	is_region(0, shared, LEN, 0x11);
	assert_int_equal(table(c.pid, private, LEN), -ENXIO);
	client_end(&c);
	munmap(shared, LEN);
	munmap(private, LEN);
}

/* Two files with holes before, between and after them, in one table. */
static void
test_several_files(void **state)
{
	uint8_t *room = mmap(NULL, 5 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vhost_memory_region r[] =
			{
					{0x900000, LEN, (uintptr_t)room + 3 * LEN, 0},
					{0x100000, LEN, (uintptr_t)room + LEN, 0},
			},
				   all = {0, 5 * LEN, (uintptr_t)room, 0};
	struct client c;

	RTE_SET_USED(state);
	assert_ptr_not_equal(room, MAP_FAILED);
	client_memory(room + LEN, LEN, 1);
	client_memory(room + 3 * LEN, LEN, 2);
	c = client_start();
	assert_int_equal(caller_table(c.pid, r, 2, &m, fd), 0);
	assert_int_equal(m.payload.memory.nregions, 2);
	assert_int_equal(m.payload.memory.region[0].gpa, 0x100000);
	assert_int_equal(m.payload.memory.region[1].gpa, 0x900000);
	is_region(0, room + LEN, LEN, 1);
	is_region(1, room + 3 * LEN, LEN, 2);
	assert_int_equal(caller_table(c.pid, &all, 1, &m, fd), 0);
	assert_int_equal(m.payload.memory.nregions, 2);
	assert_int_equal(m.payload.memory.region[0].gpa, LEN);
	assert_int_equal(m.payload.memory.region[1].gpa, 3 * LEN);
	is_region(0, room + LEN, LEN, 1);
	is_region(1, room + 3 * LEN, LEN, 2);
	client_end(&c);
	munmap(room, 5 * LEN);
}

/* Nine files are one too many, and none of those opened before stays open. */
static void
test_too_many_files(void **state)
{
	uint8_t *room = mmap(NULL, 9 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i, before;
	struct client c;

	RTE_SET_USED(state);
	for (i = 0; i < 9; i++)
		client_memory(room + i * LEN, LEN, i);
	c = client_start();
	before = client_open_files();
	assert_int_equal(table(c.pid, room, 9 * LEN), -E2BIG);
	assert_int_equal(table(c.pid, room + LEN, 8 * LEN), 0);
	assert_int_equal(m.payload.memory.nregions, 8);
	for (i = 0; i < 8; i++)
		is_region(i, room + (i + 1) * LEN, LEN, i + 1);
	assert_int_equal(client_open_files(), before);
	client_end(&c);
	munmap(room, 9 * LEN);
}

/* A file that ends before its mapping does: the last of several, which are closed again. */
static void
test_short_file(void **state)
{
	uint8_t *room = mmap(NULL, 2 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = memfd_create("short", MFD_CLOEXEC);
	unsigned int before;
	struct client c;

	RTE_SET_USED(state);
	client_memory(room, LEN, 1);
	assert_int_equal(ftruncate(file, LEN - 1), 0);
	assert_ptr_equal(mmap(room + LEN, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
					 0),
			room + LEN);
	c = client_start();
	before = client_open_files();
	assert_int_equal(table(c.pid, room, 2 * LEN), -EFAULT);
	assert_int_equal(client_open_files(), before);
	assert_int_equal(table(c.pid, room, 2 * LEN - PAGE), 0);
	close(fd[0]);
	close(fd[1]);
	client_end(&c);
	close(file);
	munmap(room, 2 * LEN);
}

/*
 * The switch may open more files than its client: a file that the client can only read is not
 * mapped for writing.
 */
static void
test_read_only(void **state)
{
	int file = memfd_create("read", MFD_CLOEXEC), again;
	struct client c;
	char path[40];
	uint8_t *at;

	RTE_SET_USED(state);
	assert_int_equal(ftruncate(file, LEN), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	again = open(path, O_RDONLY);
	assert_true(again >= 0);
	at = mmap(NULL, LEN, PROT_READ, MAP_SHARED, again, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	c = client_start();
	assert_int_equal(table(c.pid, at, LEN), -ENXIO);
	client_end(&c);
	close(file);
	close(again);
	munmap(at, LEN);
}

/* The ring of a packet socket is mapped shared and for writing, too, but is no regular file. */
static void
test_no_regular_file(void **state)
{
	struct tpacket_req ring = {.tp_block_size = PAGE,
			.tp_block_nr = 1,
			.tp_frame_size = PAGE,
			.tp_frame_nr = 1};
	int rc, s = socket(AF_PACKET, SOCK_RAW, 0);
	struct client c;
	uint8_t *at;

	RTE_SET_USED(state);
	assert_true(s >= 0);
	rc = setsockopt(s, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring));
	if (rc != 0 && errno == ENOPROTOOPT) {
		close(s);
		unit_lacks("rings of packet sockets"); /* qemu-user does not know the option */
	}
	assert_int_equal(rc, 0);
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	c = client_start();
	assert_int_equal(table(c.pid, at, PAGE), -EMEDIUMTYPE);
	client_end(&c);
	munmap(at, PAGE);
	close(s);
}

/* A client that maps two files by turns at one address: its own, and one that it may only read. */
static void
swap_for_ever(uint8_t *at, int own, int secret)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		mmap(at, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, own, 0);
		mmap(at, LEN, PROT_READ, MAP_SHARED | MAP_FIXED, secret, 0);
	}
}

static void
test_swapped_while_looked_at(void **state)
{
	int own = memfd_create("own", MFD_CLOEXEC), file = memfd_create("secret", MFD_CLOEXEC);
	unsigned int i, got = 0, before;
	struct stat mine, st;
	char path[40];
	int secret;
	uint8_t *at;
	pid_t pid;

	RTE_SET_USED(state);
	assert_int_equal(ftruncate(own, LEN), 0);
	assert_int_equal(ftruncate(file, LEN), 0);
	assert_int_equal(fstat(own, &mine), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	secret = open(path, O_RDONLY);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
	pid = fork();
	if (pid == 0)
		swap_for_ever(at, own, secret);
	before = client_open_files();
	for (i = 0; i < 3000; i++) {
		if (table(pid, at, LEN) != 0)
			continue;
		got++;
		assert_int_equal(fstat(fd[0], &st), 0);
		assert_int_equal(st.st_ino, mine.st_ino);
		close(fd[0]);
	}
	assert_int_equal(client_open_files(), before);
	assert_true(got > 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(own);
	close(file);
	close(secret);
	munmap(at, LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_process),
			cmocka_unit_test(test_handle),
			cmocka_unit_test(test_fd),
			cmocka_unit_test(test_fd_on_old_kernel),
			cmocka_unit_test(test_disk),
			cmocka_unit_test(test_memfd),
			cmocka_unit_test(test_leases),
			cmocka_unit_test(test_unlinked_file),
			cmocka_unit_test(test_anonymous),
			cmocka_unit_test(test_several_files),
			cmocka_unit_test(test_too_many_files),
			cmocka_unit_test(test_short_file),
			cmocka_unit_test(test_read_only),
			cmocka_unit_test(test_no_regular_file),
			cmocka_unit_test(test_swapped_while_looked_at),
	};

	return cmocka_run_group_tests_name("cuse_caller", tests, NULL, NULL);
}
