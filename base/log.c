/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Log types, how much is logged, and last words: see log.h.
 *
 * rte_log() writes to a stream, of which it has one: hence this file's variables. They are
 * used under the stream's own lock.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "base/log.h"
#include "base/output.h"
#include "base/tsan.h"

int log_switch, log_data;

/*
 * The sources of lines, each with a limit of its own: one that logs much must not silence another.
 */
enum speaker { SPEAKER_SWITCH, SPEAKER_DATA, SPEAKER_LIBRARY };
#define SPEAKERS 3

static struct bucket {
	unsigned int used; /* of LOG_BURST or LOG_BURST_DATA */
} buckets[SPEAKERS][2];

static FILE *stream;
static unsigned int left_out; /* lines left out since the last tick */
static unsigned int unread;   /* lines that found no room, as nobody reads stderr */

static void
log_put_line(const char *text, size_t size)
{
	char line[80];
	int n;

	if (unread != 0) {
		n = snprintf(line, sizeof(line),
				"vhost-switch: %u lines are missing here: nobody read them\n",
				unread);
		if (output_put(OUTPUT_LOG, line, (size_t)n))
			unread = 0;
	}
	if (unread != 0 || !output_put(OUTPUT_LOG, text, size))
		unread++;
}

static ssize_t
log_write(void *cookie, const char *text, size_t size)
{
	const int type = rte_log_cur_msg_logtype();
	const bool urgent = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_WARNING;
	const enum speaker who = type == log_switch ? SPEAKER_SWITCH
			: type == log_data          ? SPEAKER_DATA
						    : SPEAKER_LIBRARY;
	struct bucket *b = &buckets[who][urgent];

	RTE_SET_USED(cookie);
	tsan_acquire(stream); /* libc holds the stream's own lock */
	if (b->used >= (who == SPEAKER_DATA ? LOG_BURST_DATA : LOG_BURST)) {
		left_out++;
	} else {
		b->used++;
		log_put_line(text, size);
	}
	tsan_release(stream);
	return (ssize_t)size;
}

static __thread struct listener listener;

struct listener
say_error_to(struct listener next)
{
	struct listener before = listener;

	listener = next;
	return before;
}

void
say_error_into(char *text, size_t size)
{
	if (text != NULL)
		text[0] = '\0';
	say_error_to((struct listener){text, size});
}

void
say_error(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	if (listener.text != NULL) {
		if (listener.text[0] == '\0')
			vsnprintf(listener.text, listener.size, format, args);
		va_end(args);
		return;
	}
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n >= 0 && output_started()) {
		output_put(OUTPUT_LOG, "vhost-switch: ", strlen("vhost-switch: "));
		output_put(OUTPUT_LOG, text, (size_t)n);
		output_put(OUTPUT_LOG, "\n", 1);
	} else if (n >= 0) {
		fprintf(stderr, "vhost-switch: %s\n", text);
	}
	free(n >= 0 ? text : NULL);
	/* After the error libraries log nothing more, so that the error is the last line. */
	rte_log_set_global_level(RTE_LOG_EMERG);
}

bool
log_init(void)
{
	/* librte_vhost logs every message; the user's --log-level can turn that on again. */
	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_WARNING);
	log_switch = rte_log_register_type_and_pick_level("vhost-switch", RTE_LOG_INFO);
	log_data = rte_log_register_type_and_pick_level("vhost-switch.data", RTE_LOG_INFO);
	return log_switch >= 0 && log_data >= 0;
}

bool
log_start(void)
{
	static const cookie_io_functions_t to_output = {.write = log_write};

	stream = fopencookie(NULL, "w", to_output);
	return stream != NULL && output_start() && rte_openlog_stream(stream) == 0;
}

void
log_tick(void)
{
	char line[96];
	unsigned int i, k;
	int n;

	flockfile(stream);
	tsan_acquire(stream);
	if (left_out != 0) {
		n = snprintf(line, sizeof(line),
				"vhost-switch: %u more lines in this second were left out of the log\n",
				left_out);
		log_put_line(line, (size_t)n);
		left_out = 0;
	}
	for (i = 0; i < SPEAKERS; i++)
		for (k = 0; k < RTE_DIM(buckets[i]); k++)
			buckets[i][k].used -= RTE_MIN(buckets[i][k].used, LOG_RATE);
	tsan_release(stream);
	funlockfile(stream);
}
