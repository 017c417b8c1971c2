/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* CPUs of the process: see cpus.h for the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/cpus.h"

bool
cpus_find(struct cpus *c)
{
	cpu_set_t all;
	int rc;

	if (sched_getaffinity(0, sizeof(c->allowed), &c->allowed) != 0)
		return false;
	/* The kernel removes CPUs that the cpuset lacks; taskset's choice alone is no limit. */
	memset(&all, 0xff, sizeof(all));
	rc = sched_setaffinity(0, sizeof(all), &all);
	if (rc == 0)
		rc = sched_getaffinity(0, sizeof(c->usable), &c->usable);
	if (rc != 0)
		c->usable = c->allowed;
	return sched_setaffinity(0, sizeof(c->allowed), &c->allowed) == 0;
}

/* Reads a number at *text, and moves *text past it. Returns -1 if there is none. */
static long
cpus_number(const char **text)
{
	char *end;
	long n;

	if (**text < '0' || **text > '9')
		return -1;
	n = strtol(*text, &end, 10);
	*text = end;
	return n;
}

/*
 * Adds N or N-M at *text to the set. Returns false if the text is neither. *beyond gets a CPU past
 * the set's end.
 */
static bool
cpus_range(const char **text, cpu_set_t *set, long *beyond)
{
	long first = cpus_number(text), last = first;

	if (first >= 0 && **text == '-') {
		++*text;
		last = cpus_number(text);
	}
	if (first < 0 || last < first)
		return false;
	if (last >= CPU_SETSIZE)
		*beyond = last;
	for (; first <= last && first < CPU_SETSIZE; first++)
		CPU_SET(first, set);
	return true;
}

/* Reads one range, or several in parentheses. */
static bool
cpus_group(const char **text, cpu_set_t *set, long *beyond)
{
	*beyond = -1;
	CPU_ZERO(set);
	if (**text != '(')
		return cpus_range(text, set, beyond);
	do {
		++*text;
		if (!cpus_range(text, set, beyond))
			return false;
	} while (**text == ',');
	return *(*text)++ == ')';
}

int
cpus_missing(const char *lcores, const cpu_set_t *usable)
{
	cpu_set_t set;
	long beyond;
	int cpu;

	for (;; lcores++) {
		if (!cpus_group(&lcores, &set, &beyond))
			return -1;
		/* These lcores have other numbers than their CPUs, which follow. */
		if (*lcores == '@') {
			lcores++;
			if (!cpus_group(&lcores, &set, &beyond))
				return -1;
		}
		for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set) && !CPU_ISSET(cpu, usable))
				return cpu;
		if (beyond >= 0)
			return beyond;
		if (*lcores != ',')
			return -1;
	}
}

/* Returns the first CPU of the set from `cpu` on, or CPU_SETSIZE if there is none. */
static int
cpus_next(const cpu_set_t *set, int cpu)
{
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

void
cpus_text(const cpu_set_t *set, char *text, size_t size)
{
	size_t len = 0;
	int first, last;

	text[0] = '\0';
	for (first = cpus_next(set, 0); first < CPU_SETSIZE && len < size;
			first = cpus_next(set, last + 1)) {
		for (last = first; last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set); last++)
			;
		len += snprintf(text + len, size - len, "%s%d", len == 0 ? "" : ",", first);
		if (last > first && len < size)
			len += snprintf(text + len, size - len, "-%d", last);
	}
}

void
cpus_example(const cpu_set_t *set, char *text, size_t size)
{
	int first = cpus_next(set, 0), second = cpus_next(set, first + 1);

	if (second < CPU_SETSIZE)
		snprintf(text, size, "-l %d,%d", first, second);
	else
		snprintf(text, size, "--lcores 0@%d,1@%d", first, first);
}
