/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Tries the kernel module: who may take an eventfd of whom, and the error for each wrong argument.
 *
 * Run as root where eventfd_link.ko is loaded and the kernel has pidfd_getfd(2), which is the
 * oracle: for an eventfd both must give the same verdict.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "eventfd_link/eventfd_link.h"

#define YAMA "/proc/sys/kernel/yama/ptrace_scope"
#define USER 1000
#define OTHER_USER 1001
#define STORM_ROUNDS 60 /* some seconds, on an emulated processor */

static int link_fd;

/* Another process, which has an eventfd and a pipe. */
struct target {
	pid_t pid;
	pid_t thread; /* one of its threads that is not the leader */
	int event;
	int pipe;
};

static void *
idle(void *arg)
{
	struct target *t = arg;

	__atomic_store_n(&t->thread, gettid(), __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static void
become(uid_t real, uid_t effective)
{
	CHECK(syscall(SYS_setgroups, 0, NULL) == 0);
	CHECK(setresgid(real, effective, effective) == 0);
	CHECK(setresuid(real, effective, effective) == 0);
}

/* The target's process: for each byte on `orders` it answers with the count of its eventfd. */
static void
live(int orders, int answers, uid_t uid, bool dumpable)
{
	struct target t = {.pid = getpid()};
	uint64_t count = 0;
	pthread_t thread;
	int ends[2];
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uid != 0)
		become(uid, uid);
	prctl(PR_SET_DUMPABLE, dumpable);
	t.event = eventfd(0, EFD_NONBLOCK);
	CHECK(t.event >= 0 && pipe(ends) == 0);
	t.pipe = ends[0];
	CHECK(pthread_create(&thread, NULL, idle, &t) == 0);
	while (__atomic_load_n(&t.thread, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	CHECK(write(answers, &t, sizeof(t)) == sizeof(t));
	while (read(orders, &byte, 1) == 1) {
		if (read(t.event, &count, sizeof(count)) != sizeof(count))
			count = 0;
		CHECK(write(answers, &count, sizeof(count)) == sizeof(count));
	}
	exit(0);
}

struct channel {
	int orders;
	int answers;
};

static struct target
start(uid_t uid, bool dumpable, struct channel *channel)
{
	int down[2], up[2];
	struct target t;
	pid_t pid;

	CHECK(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(down[1]);
		close(up[0]);
		live(down[0], up[1], uid, dumpable);
	}
	close(down[0]);
	close(up[1]);
	CHECK(read(up[0], &t, sizeof(t)) == sizeof(t));
	CHECK(t.pid == pid);
	if (channel != NULL)
		*channel = (struct channel){down[1], up[0]};
	return t;
}

static void
end(struct target *t)
{
	CHECK(kill(t->pid, SIGKILL) == 0);
	CHECK(waitpid(t->pid, NULL, 0) == t->pid);
}

/* Asks the module. Returns a file descriptor or a negative errno. */
static int
ask(pid_t pid, int fd)
{
	struct eventfd_link_get from = {.pid = pid, .fd = fd};
	int ret = ioctl(link_fd, EVENTFD_LINK_GET, &from);

	return ret < 0 ? -errno : ret;
}

/* Does the same by pidfd_getfd(2). */
static int
oracle(pid_t pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), ret;

	CHECK(pidfd >= 0);
	ret = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (ret < 0)
		ret = -errno;
	close(pidfd);
	return ret;
}

/* Asks both, which must agree. Returns 0 or a negative errno. */
static int
verdict(pid_t pid, int fd)
{
	int mine = ask(pid, fd), its = oracle(pid, fd);

	if (mine >= 0)
		close(mine);
	if (its >= 0)
		close(its);
	printf("# module %d, pidfd_getfd %d\n", mine < 0 ? mine : 0, its < 0 ? its : 0);
	CHECK((mine < 0 ? mine : 0) == (its < 0 ? its : 0));
	return mine < 0 ? mine : 0;
}

/* Cases. */

static void
copies(const char *device)
{
	struct channel channel;
	struct target t = start(0, true, &channel);
	const pid_t ids[] = {t.pid, t.thread};
	uint64_t count = 0;
	int before = open_fds();

	for (unsigned i = 0; i < 2; i++) {
		int fd = ask(ids[i], t.event);

		CHECK(fd >= 0);
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		CHECK(write(fd, &(uint64_t){40 + i}, 8) == 8);
		CHECK(write(channel.orders, "?", 1) == 1);
		CHECK(read(channel.answers, &count, 8) == 8 && count == 40 + i);
		close(fd);
	}
	CHECK(open_fds() == before);
	CHECK(ask(t.pid, t.event) >= 0 && open_fds() == before + 1);
	end(&t);
}

static void
outlives_its_process(const char *device)
{
	struct target t = start(0, true, NULL);
	uint64_t count = 0;
	int fd = ask(t.pid, t.event);

	CHECK(fd >= 0);
	end(&t);
	CHECK(ask(t.pid, t.event) == -ESRCH);
	CHECK(write(fd, &(uint64_t){7}, 8) == 8);
	CHECK(read(fd, &count, 8) == 8 && count == 7);
	CHECK(close(fd) == 0);
}

static void
copies_its_own(const char *device)
{
	int own = eventfd(3, 0), fd;
	uint64_t count = 0;

	become(USER, USER);
	CHECK(verdict(getpid(), own) == 0);
	fd = ask(getpid(), own);
	CHECK(fd >= 0 && fd != own);
	CHECK(read(fd, &count, 8) == 8 && count == 3);
}

static void
users(const char *device)
{
	static const struct {
		uid_t target;
		bool dumpable;
		uid_t real, effective;
		int verdict;
	} rows[] = {
			{0, true, 0, 0, 0},
			{0, false, 0, 0, 0},
			{USER, true, 0, 0, 0},
			{USER, false, 0, 0, 0},
			{USER, true, USER, USER, 0},
			{USER, false, USER, USER, -EPERM},
			{USER, true, OTHER_USER, OTHER_USER, -EPERM},
			{USER, true, OTHER_USER, USER, -EPERM}, /* the real user counts */
			{0, true, USER, USER, -EPERM},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct target t = start(rows[i].target, rows[i].dumpable, NULL);
		pid_t caller = fork();
		int status;

		if (caller == 0) {
			if (rows[i].real != 0)
				become(rows[i].real, rows[i].effective);
			printf("# row %u: ", i);
			exit(verdict(t.pid, t.event) != rows[i].verdict);
		}
		CHECK(waitpid(caller, &status, 0) == caller && status == 0);
		end(&t);
	}
}

/* What the caller has mounted on /proc does not count. */
static void
false_proc(const char *device)
{
	struct target t = start(0, true, NULL);
	char path[64];

	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("false", "/proc", "tmpfs", 0, NULL) == 0);
	snprintf(path, sizeof(path), "/proc/%d", t.pid);
	CHECK(mkdir(path, 0777) == 0);
	strcat(path, "/mem");
	CHECK(close(open(path, O_CREAT | O_RDWR, 0666)) == 0);
	CHECK(ask(t.pid, t.event) >= 0);
	become(USER, USER);
	CHECK(open(path, O_RDONLY) >= 0);
	CHECK(ask(t.pid, t.event) == -EPERM);
}

/* Yama: with scope 1 a process may trace only those that it started. */
static void
security_module(const char *device)
{
	struct target own, foreign = start(USER, true, NULL);
	char before[8] = "";
	int scope = open(YAMA, O_RDWR);

	CHECK(scope >= 0 && read(scope, before, sizeof(before)) > 0);
	CHECK(pwrite(scope, "1", 1, 0) == 1);
	pid_t caller = fork();
	int status;

	if (caller == 0) {
		become(USER, USER);
		own = start(0, true, NULL);
		exit(verdict(own.pid, own.event) != 0 ||
				verdict(foreign.pid, foreign.event) != -EPERM);
	}
	waitpid(caller, &status, 0);
	CHECK(pwrite(scope, before, 1, 0) == 1);
	CHECK(status == 0);
	end(&foreign);
}

static void
wrong_arguments(const char *device)
{
	struct target t = start(0, true, NULL);
	struct eventfd_link_get from = {t.pid, t.event};
	pid_t dead = fork();
	siginfo_t info;
	int before;

	if (dead == 0)
		_exit(0);
	CHECK(waitid(P_PID, dead, &info, WEXITED | WNOWAIT) == 0);
	before = open_fds();
	CHECK(ask(dead, t.event) == -ESRCH); /* a zombie */
	CHECK(waitpid(dead, NULL, 0) == dead && ask(dead, t.event) == -ESRCH);
	CHECK(ask(0, t.event) == -EINVAL);
	CHECK(ask(-1, t.event) == -EINVAL && ask(-t.pid, t.event) == -EINVAL);
	CHECK(ask(INT32_MIN, t.event) == -EINVAL);
	CHECK(ask(INT32_MAX, t.event) == -ESRCH);
	CHECK(ask(2, 0) == -EPERM); /* kthreadd */
	CHECK(ask(t.pid, -1) == -EBADF && ask(t.pid, INT32_MIN) == -EBADF);
	CHECK(ask(t.pid, INT32_MAX) == -EBADF && ask(t.pid, 1000) == -EBADF);
	CHECK(ask(t.pid, t.pipe) == -EINVAL);
	CHECK(ioctl(link_fd, EVENTFD_LINK_GET, NULL) == -1 && errno == EFAULT);
	CHECK(ioctl(link_fd, EVENTFD_LINK_GET, UINT64_MAX - 3) == -1 && errno == EFAULT);
	CHECK(ioctl(link_fd, EVENTFD_LINK_GET + 1, &from) == -1 && errno == ENOTTY);
	CHECK(ioctl(link_fd, TIOCGWINSZ, &from) == -1 && errno == ENOTTY);
	CHECK(ioctl(link_fd, _IOW(0xEF, 0x01, uint64_t[2]), &from) == -1 && errno == ENOTTY);
	CHECK(open_fds() == before);
	CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}) == 0);
	CHECK(ask(t.pid, t.event) == -EMFILE);
	end(&t);
}

/* Targets that end, or become other programs, while they are asked. */
static void
storm(const char *device)
{
	unsigned got = 0;

	for (unsigned i = 0; i < STORM_ROUNDS; i++) {
		int event = eventfd(0, 0), ret;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			for (volatile unsigned n = 0; n < i * 100; n++)
				;
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		close(event);
		while ((ret = ask(pid, event)) >= 0) {
			got++;
			close(ret);
		}
		CHECK(ret == -ESRCH || ret == -EBADF);
		kill(pid, i % 2 ? SIGKILL : SIGTERM);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	printf("# %u copies\n", got);
	CHECK(got > 0);
}

static const struct test_case cases[] = {
		{"a copy is the same eventfd, by the process and by one of its threads", copies},
		{"a copy outlives its process", outlives_its_process},
		{"a process copies its own", copies_its_own},
		{"users: as pidfd_getfd", users},
		{"a false /proc does not help", false_proc},
		{"Yama is asked", security_module},
		{"each wrong argument has its error", wrong_arguments},
		{"targets that end or execute another program", storm},
};

int
main(void)
{
	link_fd = open("/dev/" EVENTFD_LINK_DEVICE, O_RDWR | O_CLOEXEC);
	if (link_fd < 0) {
		printf("Bail out! /dev/%s: %s\n", EVENTFD_LINK_DEVICE, strerror(errno));
		return 1;
	}
	return RUN_CASES(cases, EVENTFD_LINK_DEVICE);
}
