/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads and writes the configuration file: see conf_file.h for the contract. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "conf/conf_option.h"
#include "conf/conf_port.h"

/* Longest line, with those that continue it: sixteen addresses are 288 bytes. */
#define FILE_LINE_MAX 4096

/* Room for a parser's error. */
#define FILE_ERROR_MAX 512

/* The state of reading a file. */
struct reader {
	struct conf *conf;
	const char *name; /* of the file */
	const char *at, *end;
	unsigned int line; /* number of the one in `text` */
	unsigned int next_line;
	bool in_switch;
	struct conf_port *port; /* the section's; NULL: none */
	struct listener before; /* the former listener of errors; see file_listen() */
	char error[FILE_ERROR_MAX];
	char text[FILE_LINE_MAX];
};

/* Prints an error with its file and line. Returns false. */
static bool
file_wrong(const struct reader *r, const char *what)
{
	say_error("%s:%u: %s", r->name, r->line, what);
	return false;
}

/* Between these two calls the parsers' errors are kept, and printed with file and line after that. */
static void
file_listen(struct reader *r)
{
	r->error[0] = '\0';
	r->before = say_error_to((struct listener){r->error, sizeof(r->error)});
}

static bool
file_heard_nothing(struct reader *r)
{
	say_error_to(r->before);
	return r->error[0] == '\0' || file_wrong(r, r->error);
}

/* Ends a section. Returns true if its port, if it is one, has a socket of its own. */
static bool
file_end_section(struct reader *r)
{
	file_listen(r);
	if (r->port != NULL)
		conf_port_complete(r->conf, r->port);
	r->port = NULL;
	r->in_switch = false;
	return file_heard_nothing(r);
}

static char *
file_trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	for (len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

static bool
file_is_comment(const char *text)
{
	text += strspn(text, " \t");
	return *text == '#' || *text == ';';
}

/* Skips comments between the parts of a line that continues. */
static void
file_skip_comments(struct reader *r)
{
	const char *stop, *first;

	while (r->at < r->end) {
		for (first = r->at; first < r->end && (*first == ' ' || *first == '\t'); first++)
			;
		if (first == r->end || (*first != '#' && *first != ';'))
			return;
		stop = memchr(r->at, '\n', r->end - r->at);
		r->at = stop != NULL ? stop + 1 : r->end;
		r->next_line++;
	}
}

/* Takes the next line, joined with those that continue it. Returns false if it is too long. */
static bool
file_take_line(struct reader *r)
{
	size_t len = 0, n;
	bool more = true;
	const char *stop;

	r->line = r->next_line;
	while (more && r->at < r->end) {
		stop = memchr(r->at, '\n', r->end - r->at);
		n = (stop != NULL ? stop : r->end) - r->at;
		if (len + n >= sizeof(r->text))
			return file_wrong(r,
					"the line is longer than " RTE_STR(FILE_LINE_MAX) " bytes");
		memcpy(r->text + len, r->at, n);
		len += n;
		r->text[len] = '\0';
		r->at += n + (stop != NULL);
		r->next_line++;
		more = len > 0 && r->text[len - 1] == '\\' && !file_is_comment(r->text);
		if (!more)
			break;
		r->text[len - 1] = ' ';
		file_skip_comments(r);
	}
	r->text[len] = '\0';
	return true;
}

/* Begins the section of a line [...]. */
static bool
file_begin_section(struct reader *r, char *line)
{
	const size_t len = strlen(line);
	char *name;

	if (!file_end_section(r))
		return false;
	if (line[len - 1] != ']')
		return file_wrong(r, "a section ends with ], as in [switch]");
	line[len - 1] = '\0';
	name = file_trim(line + 1);
	r->in_switch = strcmp(name, "switch") == 0;
	if (r->in_switch)
		return true;
	if (strncmp(name, "port", 4) != 0 || !isspace((unsigned char)name[4]))
		return file_wrong(r, "the sections are [switch] and [port NAME]");
	file_listen(r);
	conf_port_name_all(r->conf); /* an entry without a name is free */
	r->port = conf_port_create(r->conf, file_trim(name + 4), NULL, NULL);
	return file_heard_nothing(r);
}

/* Sets what a line KEY = VALUE says. */
static bool
file_set(struct reader *r, char *line)
{
	char what[PORT_NAME_MAX + sizeof("port ")], *value = strchr(line, '=');
	const char *key;

	if (value == NULL)
		return file_wrong(r, "must be KEY = VALUE, [switch] or [port NAME]");
	*value++ = '\0';
	key = file_trim(line);
	value = file_trim(value);
	file_listen(r);
	if (r->in_switch) {
		conf_option_set(r->conf, key, value);
	} else if (r->port != NULL) {
		snprintf(what, sizeof(what), "port %s", r->port->name);
		conf_port_set(r->port, what, key, value);
	} else {
		say_error("a section must come first: [switch] or [port NAME]");
	}
	return file_heard_nothing(r);
}

/* Reads all lines. */
static bool
file_parse(struct reader *r)
{
	bool ok = true;
	char *line;

	while (ok && r->at < r->end) {
		ok = file_take_line(r);
		line = file_trim(r->text);
		if (ok && line[0] != '\0' && !file_is_comment(line))
			ok = line[0] == '[' ? file_begin_section(r, line) : file_set(r, line);
	}
	return ok && file_end_section(r);
}

bool
conf_file_parse(struct conf *c, const char *text, size_t len, const char *name)
{
	struct reader *r;
	unsigned int i;
	bool ok;

	if (len > CONF_FILE_MAX) {
		say_error("%s: longer than %d bytes", name, CONF_FILE_MAX);
		return false;
	}
	if (memchr(text, '\0', len) != NULL) {
		say_error("%s: is no text: it has a byte of 0 in it", name);
		return false;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		say_error("%s: no memory", name);
		return false;
	}
	r->conf = c;
	r->name = name;
	r->at = text;
	r->end = text + len;
	r->next_line = 1;
	ok = file_parse(r);
	conf_port_name_all(c);
	for (i = 0; i < c->nports; i++)
		c->port[i].from_file = true;
	free(r);
	return ok;
}

/* Opens a regular file: another one, as a FIFO, could have the main lcore wait. */
static FILE *
file_open(const char *name)
{
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fdopen(fd, "r");
	if (fd >= 0)
		close(fd);
	say_error("--config %s: %s", name, fd >= 0 ? "must be a regular file" : strerror(errno));
	return NULL;
}

bool
conf_file_read(struct conf *c, const char *name)
{
	FILE *file = file_open(name);
	char *text = malloc(CONF_FILE_MAX + 1);
	bool ok = false;
	size_t len;

	if (file != NULL && text != NULL) {
		len = fread(text, 1, CONF_FILE_MAX + 1, file);
		if (ferror(file))
			say_error("--config %s: %s", name, strerror(errno));
		else
			ok = conf_file_parse(c, text, len, name);
	} else if (file != NULL) {
		say_error("--config %s: no memory", name);
	}
	if (file != NULL)
		fclose(file);
	free(text);
	return ok;
}

static bool
file_has(const struct conf *c, unsigned int i)
{
	return conf_port_used(&c->port[i]) && c->port[i].socket[0] != '\0';
}

/* Returns true if a port names a tag, or will: that of its index now. */
static bool
file_names_tag(const struct conf *c, const bool *add, uint32_t tag)
{
	const struct conf_port *p;
	unsigned int i;

	for (i = 0; i < c->nports; i++) {
		p = &c->port[i];
		if (file_has(c, i) && (p->vlan_given || add[i]) &&
				(p->vlan_given ? p->vlan : conf_vlan(c, i)) == tag)
			return true;
	}
	return false;
}

/*
 * Chooses the ports that get a vlan= in the file. When the file is read they close up to indexes of ports that were
 * removed, whose tags others may name by now: the file would be refused. Only a port with one guest has one tag.
 */
static void
file_choose_tags(const struct conf *c, bool add[SOCKET_MAX])
{
	unsigned int i, index;
	bool more = c->vlan_base != 0;

	while (more) {
		more = false;
		for (i = index = 0; i < c->nports; i++) {
			if (!file_has(c, i))
				continue;
			if (!add[i] && !c->port[i].vlan_given && c->port[i].guests == 1 &&
					file_names_tag(c, add, c->vlan_base + index))
				add[i] = more = true;
			index++;
		}
	}
}

static void
file_write_port(FILE *out, const struct conf_port *p)
{
	char name[PORT_KEY_MAX], value[PORT_VALUE_MAX];
	unsigned int key;

	fprintf(out, "\n[port %s]\n", p->name);
	for (key = 0; key < conf_port_keys(); key++) {
		if (conf_port_get(p, key, value)[0] != '\0')
			fprintf(out, "%s = %s\n", conf_port_key(key, name), value);
	}
}

void
conf_file_write(FILE *out, const struct conf *c)
{
	bool add[SOCKET_MAX] = {false}, any = false;
	char value[CONF_VALUE_MAX];
	const char *name;
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		any |= conf_port_used(&c->port[i]);
	file_choose_tags(c, add);
	fputs("[switch]\n", out);
	if (!any) /* or the next start would make the usual one */
		fputs("dev-basename = none\n", out);
	for (i = 0; (name = conf_option_name(i)) != NULL; i++)
		if (conf_option_get(c, i, value)[0] != '\0')
			fprintf(out, "%s = %s\n", name, value);
	for (i = 0; i < c->nports; i++) {
		if (!file_has(c, i))
			continue;
		file_write_port(out, &c->port[i]);
		if (add[i])
			fprintf(out, "vlan = %u\n", conf_vlan(c, i));
	}
}
