/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The vhost-switch process under test. See subject.h. */
#define _GNU_SOURCE
#include "subject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vhost_user.h"
#include "wire.h"

/* Only the shadow is this large: one TiB. */
#define SHADOW_KB (UINT64_C(1) << 30)
#define POLL_MS 2 /* between two looks at something that is waited for */

const char *
drop_text(enum drop_reason reason)
{
#define DROP_TEXT(name, text, doc) [DROP_##name] = text,
	static const char *const texts[] = {DROP_REASONS(DROP_TEXT)};
#undef DROP_TEXT

	return texts[reason];
}

const char *
fault_text(enum fault_reason reason)
{
#define FAULT_TEXT(name, text, doc) [FAULT_##name] = text,
	static const char *const texts[] = {FAULT_REASONS(FAULT_TEXT)};
#undef FAULT_TEXT

	return texts[reason];
}

/* In the child: never returns. */
static void
run_program(const struct subject *s, pid_t parent)
{
	const char *lcores = s->workers > 1 ? "0@0,1@0,2@1" : "0@0,1@1";
	/* With an uplink: frames wait so long that a source which one guest holds up would stall. */
	const char *delay = s->patient ? "100000" : s->uplink ? "1000" : "15";
	const char *const yes_no[] = {"0", "1"};
	char tap[64], uml[160], wire[192], file[128];
	const char *argv[40];
	unsigned n = 0;
	int log, table;

#define ADD(...) \
	do { \
		const char *const more[] = {__VA_ARGS__}; \
		memcpy(&argv[n], more, sizeof(more)); \
		n += sizeof(more) / sizeof(more[0]); \
	} while (0)
	ADD(s->program, "--lcores", s->lcores != NULL ? s->lcores : lcores, "--in-memory",
			"--no-pci", "--file-prefix", strrchr(s->dir, '/') + 1);
	if (s->plain)
		ADD("--force-max-simd-bitwidth", "64");
	else if (s->offload)
		ADD("--force-max-simd-bitwidth", "512");
	if (s->tap != NULL) {
		snprintf(tap, sizeof(tap), "net_tap0,iface=%s", s->tap);
		ADD("--vdev", tap);
	}
	snprintf(uml, sizeof(uml), "uml,socket=%s,uml=yes,guests=16", s->uml_socket);
	snprintf(file, sizeof(file), "%s/wire", s->dir);
	snprintf(wire, sizeof(wire), "--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1", file);
	if (s->uplink)
		ADD(wire);
	ADD("--", "--socket-file", s->honest_socket, "--socket-file", s->socket, "--port", uml);
	ADD("--mergeable", yes_no[s->mergeable], "--tx-csum", yes_no[s->offload], "--tso",
			yes_no[s->offload]);
	ADD("--rx-retry-num", s->patient ? "1000" : "4", "--rx-retry-delay", delay);
	if (s->idle_sleep != NULL)
		ADD("--idle-sleep", s->idle_sleep);
	if (s->aging != NULL)
		ADD("--aging", s->aging);
	if (s->uplink || s->tap != NULL)
		ADD("-p", "1", "--vlan-base", "0");
	ADD(NULL);
#undef ADD
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	if (s->uplink && !wire_write(file))
		_exit(126);
	log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	table = open(s->table_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log < 0 || table < 0 || dup2(table, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	/* A sanitizer's report must end the program with a status that nothing else has. */
	setenv("ASAN_OPTIONS", "exitcode=99:detect_leaks=1:quarantine_size_mb=16", 0);
	setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99:print_stacktrace=1", 0);
	setenv("RUNTIME_DIRECTORY", s->dir, 1);
	execv(s->program, (char *const *)argv);
	fprintf(stderr, "%s: %s\n", s->program, strerror(errno));
	_exit(126);
}

bool
subject_start(struct subject *s)
{
	const char *tmp = getenv("TMPDIR");
	pid_t parent = getpid();

	snprintf(s->dir, sizeof(s->dir), "%s/vs-hostile-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		return false;
	snprintf(s->log_path, sizeof(s->log_path), "%s/log", s->dir);
	snprintf(s->table_path, sizeof(s->table_path), "%s/table", s->dir);
	snprintf(s->honest_socket, sizeof(s->honest_socket), "%s/honest", s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/case", s->dir);
	snprintf(s->uml_socket, sizeof(s->uml_socket), "%s/uml", s->dir);
	s->log = NULL;
	s->log_len = s->log_room = 0;
	s->status = 0;
	s->telemetry = -1;
	s->pid = fork();
	if (s->pid == 0)
		run_program(s, parent);
	if (s->pid < 0) {
		s->pid = 0;
		return false;
	}
	/* The sanitized program, which clears hugepages first, takes seconds on a busy machine. */
	return subject_log_wait(s, 0, "vhost-switch: ready", 6 * PATIENCE_MS) != NULL;
}

bool
subject_alive(struct subject *s)
{
	if (s->pid == 0)
		return false;
	if (waitpid(s->pid, &s->status, WNOHANG) != s->pid)
		return true;
	s->pid = 0;
	return false;
}

/* Makes room for so many bytes of the log. */
static bool
log_room(struct subject *s, size_t size)
{
	char *more;

	if (size <= s->log_room)
		return true;
	more = realloc(s->log, 2 * size);
	if (more == NULL)
		return false;
	s->log = more;
	s->log_room = 2 * size;
	return true;
}

void
subject_read_log(struct subject *s)
{
	int fd = open(s->log_path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return;
	/* What comes meanwhile is for the next time: it may come faster than it is read. */
	if (fstat(fd, &st) == 0 && log_room(s, (size_t)st.st_size + 1)) {
		while (s->log_len < (size_t)st.st_size &&
				(n = pread(fd, s->log + s->log_len, (size_t)st.st_size - s->log_len,
						 (off_t)s->log_len)) > 0)
			s->log_len += (size_t)n;
		s->log[s->log_len] = '\0';
	}
	close(fd);
}

unsigned
subject_log_count(struct subject *s, size_t from, const char *text)
{
	const char *p;
	unsigned n = 0;

	subject_read_log(s);
	if (s->log == NULL || from > s->log_len)
		return 0;
	for (p = s->log + from; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}

const char *
subject_log_wait(struct subject *s, size_t from, const char *text, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	bool alive, late;
	char *found;

	for (;;) {
		alive = subject_alive(s);
		late = vu_now_ms() > deadline;
		subject_read_log(s);
		found = s->log != NULL && from <= s->log_len ? strstr(s->log + from, text) : NULL;
		/* The line must be there as a whole. */
		if (found != NULL && strchr(found, '\n') != NULL)
			return found;
		if (!alive || late)
			return NULL;
		poll(NULL, 0, POLL_MS);
	}
}

int
subject_device(struct subject *s, size_t from, const uint8_t *mac)
{
	const char *at, *line = NULL;
	int device = -1;
	char text[64];

	snprintf(text, sizeof(text), ") MAC_ADDRESS %02x:%02x:%02x:%02x:%02x:%02x and", mac[0],
			mac[1], mac[2], mac[3], mac[4], mac[5]);
	at = subject_log_wait(s, from, text, PATIENCE_MS);
	for (; at != NULL; at = strstr(at + 1, text))
		line = at;
	while (line != NULL && line > s->log && line[-1] != '(')
		line--;
	return line != NULL && sscanf(line, "%d)", &device) == 1 ? device : -1;
}

/* Counts the links in a folder, except those that lead to a name with `but` in it. */
static unsigned
count_entries(const char *path, const char *but)
{
	DIR *d = opendir(path);
	char target[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	ssize_t len;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		len = but != NULL ? readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1) : 0;
		target[len > 0 ? len : 0] = '\0';
		if (but == NULL || strstr(target, but) == NULL)
			n++;
	}
	closedir(d);
	return n;
}

/* Counts the lines of a file that contain `text`. *value is the number that follows it, if any. */
static unsigned
count_lines(const char *path, const char *text, uint64_t *value)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, *p;
	size_t room = 0;
	unsigned n = 0;

	if (f == NULL)
		return 0;
	while (getline(&line, &room, f) > 0) {
		p = strstr(line, text);
		if (p == NULL)
			continue;
		n++;
		if (value != NULL)
			*value = strtoull(p + strlen(text), NULL, 10);
	}
	free(line);
	fclose(f);
	return n;
}

bool
subject_holdings(const struct subject *s, struct holdings *hold)
{
	char path[64];

	if (s->pid == 0)
		return false;
	memset(hold, 0, sizeof(*hold));
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->pid);
	/* EAL has a file descriptor for each hugepage of its heap: these count as memory. */
	hold->fds = count_entries(path, "memfd:seg_");
	hold->sockets = count_entries(path, NULL) - count_entries(path, "socket:");
	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pid);
	hold->threads = count_entries(path, NULL);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)s->pid);
	hold->regions = count_lines(path, "guest-memory", NULL);
	hold->maps = count_lines(path, "-", NULL);
	hold->file_maps = count_lines(path, " /", NULL);
	hold->sanitized = count_lines(path, "libasan", NULL) != 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
	count_lines(path, "VmRSS:", &hold->resident_kb);
	count_lines(path, "HugetlbPages:", &hold->huge_kb);
	hold->resident_kb += hold->huge_kb;
	return hold->fds > 0;
}

uint64_t
subject_shadow_kb(const struct subject *s)
{
	char path[64], line[PATH_MAX + 128];
	uint64_t size = 0, resident, all = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)s->pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "Size: %" SCNu64, &size);
		if (sscanf(line, "Rss: %" SCNu64, &resident) == 1 && size >= SHADOW_KB)
			all += resident;
	}
	fclose(f);
	return all;
}

bool
subject_wait_fds(const struct subject *s, unsigned fds, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	struct holdings now;

	while (subject_holdings(s, &now)) {
		if (now.fds <= fds)
			return true;
		if (vu_now_ms() > deadline)
			break;
		poll(NULL, 0, POLL_MS);
	}
	return false;
}

bool
subject_stop(struct subject *s, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;

	if (!subject_alive(s))
		return false;
	kill(s->pid, SIGTERM);
	while (subject_alive(s) && vu_now_ms() < deadline)
		poll(NULL, 0, POLL_MS);
	subject_read_log(s);
	return s->pid == 0 && WIFEXITED(s->status) && WEXITSTATUS(s->status) == 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
subject_end(struct subject *s, bool keep)
{
	if (s->pid != 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &s->status, 0);
		s->pid = 0;
	}
	if (s->telemetry >= 0)
		close(s->telemetry);
	s->telemetry = -1;
	free(s->log);
	s->log = NULL;
	s->log_len = s->log_room = 0;
	/* Removes the folder that EAL made for its run-time files, too. */
	if (!keep && s->dir[0] != '\0')
		nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	s->dir[0] = '\0';
}
