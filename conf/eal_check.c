/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Finds what would keep EAL from starting: see eal_check.h for the contract. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/cpus.h"
#include "conf/eal_check.h"
#include "conf/eal_options.h"
#include "conf/hugepages.h"
#include "base/log.h"
#include "base/process.h"

#define EAL_CHECK_RANKS 16 /* EAL's limit, in each release */

static bool
eal_check_cpus(const struct eal_said *said)
{
	char have[256], example[64];
	struct cpus cpus;
	int missing;

	if (said->lcores == NULL || !cpus_find(&cpus))
		return true;
	missing = cpus_missing(said->lcores, &cpus.usable);
	if (missing < 0)
		return true;
	cpus_text(&cpus.usable, have, sizeof(have));
	cpus_example(&cpus.usable, example, sizeof(example));
	say_error("%s %s: CPU %d is not there, or not for this process, which has %s: name "
		  "CPUs that it has, as in %s",
			said->lcores_option, said->lcores, missing, have, example);
	return false;
}

/* Writes the path of the file that EAL locks for as long as a primary process runs with this prefix. */
static void
eal_check_config_path(const char *prefix, char *path, size_t size)
{
	const char *folder = getenv("RUNTIME_DIRECTORY");

	if (folder == NULL)
		folder = getuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	snprintf(path, size, "%s/dpdk/%s/config", folder != NULL ? folder : "/tmp", prefix);
}

/*
 * Returns the process that holds a lock on the file: its id, 0 if it is in another container, -1 if
 * there is none.
 */
static pid_t
eal_check_lock_holder(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	rc = fcntl(fd, F_GETLK, &lock);
	close(fd);
	return rc != 0 || lock.l_type == F_UNLCK ? -1 : lock.l_pid;
}

static bool
eal_check_prefix(const struct eal_said *said)
{
	const char *prefix = said->file_prefix != NULL ? said->file_prefix : "rte";
	char path[PATH_MAX], holder[PROCESS_TEXT];
	pid_t pid;

	if (said->in_memory || said->no_shconf || said->secondary)
		return true;
	eal_check_config_path(prefix, path, sizeof(path));
	pid = eal_check_lock_holder(path);
	if (pid < 0)
		return true;
	process_text(pid, holder, sizeof(holder));
	say_error("--file-prefix %s: in use by another DPDK program, %s: give this one a prefix "
		  "of its own, as in --file-prefix switch2",
			prefix, holder);
	return false;
}

static void
eal_check_say_no_mount(const char *huge_dir)
{
	if (huge_dir != NULL)
		say_error("--huge-dir %s: no hugetlbfs with free pages is mounted there: use "
			  "--in-memory, which needs no mount, or mount -t hugetlbfs nodev %s",
				huge_dir, huge_dir);
	else
		say_error("hugepages are free, but no hugetlbfs with such pages is mounted: use "
			  "--in-memory, which needs no mount, or mount -t hugetlbfs nodev "
			  "/dev/hugepages");
}

/* Reads a number without a sign or a unit. Returns where it ends, or NULL if there is none, or it is too large. */
static const char *
eal_check_read(const char *text, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return NULL;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 ? end : NULL;
}

/* EAL takes what is no number for 0, and what follows a number for nothing. `least` to `most` is the range. */
static bool
eal_check_number(const char *option, const char *value, const char *what, unsigned long least,
		unsigned long most)
{
	const char *end;
	unsigned long n;

	if (value == NULL)
		return true;
	end = eal_check_read(value, &n);
	if (end != NULL && *end == '\0' && n >= least && n <= most)
		return true;
	say_error("%s %s: must be a number of %s from %lu to %lu: correct it, or leave it out",
			option, value, what, least, most);
	return false;
}

static bool
eal_check_levels(const struct eal_said *said)
{
	if (said->level == NULL)
		return true;
	say_error("--log-level %s: must end with a level, as in --log-level debug or "
		  "--log-level lib.vhost:info; --log-level help lists them",
			said->level);
	return false;
}

static bool
eal_check_numbers(const struct eal_said *said)
{
	const bool letter = said->pages != NULL && strcmp(said->pages, "-m") == 0;

	return eal_check_number("-n", said->channels, "memory channels", 1, INT_MAX) &&
			eal_check_number("-r", said->ranks, "memory ranks", 1, EAL_CHECK_RANKS) &&
			eal_check_number("-m", letter ? said->amount : NULL, "MiB", 0, INT_MAX);
}

/*
 * Returns the MiB of all NUMA nodes, or 0 if this is no list of numbers, which EAL says better. *absent is set to the
 * first node that is to give memory and is not there, or to -1. The first number may be for any node (-m).
 */
static unsigned long long
eal_check_sum(const char *list, int *absent)
{
	unsigned long long sum = 0;
	unsigned long n;
	int node;

	*absent = -1;
	for (node = 0;; node++) {
		list = eal_check_read(list, &n);
		if (list == NULL)
			return 0;
		if (n != 0 && node != 0 && *absent < 0 && !hugepages_node(node))
			*absent = node;
		sum += n;
		if (*list == '\0')
			return sum;
		if (*list++ != ',')
			return 0;
	}
}

/* EAL takes this amount when it starts, or does not start. */
static bool
eal_check_amount(const struct eal_said *said)
{
	unsigned long long asked, have;
	const char *space, *amount; /* empty: the option was written with its amount */
	int absent;

	if (said->pages == NULL)
		return true;
	space = strchr(said->pages, '=') != NULL ? "" : " ";
	amount = strchr(said->pages, '=') != NULL ? "" : said->amount;
	asked = eal_check_sum(said->amount, &absent);
	if (absent >= 0) {
		say_error("%s%s%s: this machine has no NUMA node %d: leave its amount out",
				said->pages, space, amount, absent);
		return false;
	}
	have = hugepages_mib(said);
	if (asked <= have)
		return true;
	say_error("%s%s%s: %llu MiB of hugepages can be had: ask for less, or leave it out, as the "
		  "switch takes what it needs",
			said->pages, space, amount, have);
	return false;
}

static bool
eal_check_hugepages(const struct eal_said *said)
{
	char folder[PATH_MAX];

	if (said->no_huge)
		return true;
	if (said->memory != NULL && !hugepages_free(said)) {
		say_error("%s: no hugepages are free: reserve some (echo 256 > "
			  "/proc/sys/vm/nr_hugepages), or leave it out, for ordinary pages",
				said->memory);
		return false;
	}
	if (!eal_check_amount(said))
		return false;
	/* With --in-memory the kernel itself provides the pages, without asking for permission. */
	if (said->in_memory)
		return true;
	switch (hugepages_find_mount(said->huge_dir, folder, sizeof(folder))) {
	case HUGEPAGES_MOUNT_GOOD:
		return true;
	case HUGEPAGES_MOUNT_NONE:
		eal_check_say_no_mount(said->huge_dir);
		return false;
	case HUGEPAGES_MOUNT_CLOSED:
		say_error("hugetlbfs %s: %s for user %u: use --in-memory, which needs no mount, "
			  "or let that user write there",
				folder, strerror(errno), geteuid());
		return false;
	}
	return true;
}

bool
eal_check(const struct eal_said *said, bool no_huge)
{
	return eal_check_cpus(said) && eal_check_levels(said) && eal_check_numbers(said) &&
			eal_check_prefix(said) && (no_huge || eal_check_hugepages(said));
}
