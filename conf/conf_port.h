/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Ports, as options describe them: one table of keys, each with its parser and its documentation.
 * --port, its help and the guide all use it (scripts/doc-lists reads this file).
 *
 * Each function prints on stderr what is wrong with a value, and what is allowed. Any thread.
 */
#ifndef CONF_PORT_H
#define CONF_PORT_H

#include <stdbool.h>
#include <stdio.h>

struct conf;
struct conf_port;

/* Room for a key's name, and for the longest value: a path, or sixteen addresses. */
#define PORT_KEY_MAX 32
#define PORT_VALUE_MAX 320

/* The smallest payload that IPv4 allows (RFC 791), and the largest that is switched. */
#define MTU_MIN 68
#define MTU_MAX 9000

/*
 * X(key, value as the help shows it, sentence for the help and the documentation)
 *
 * To add a key, add a line here, and parse_KEY() to conf_key.c. Where the key has '_' here,
 * users write '-'.
 */
#define PORT_KEYS(X) \
	X(socket, "PATH", "the socket where its guests connect; no comma in it") \
	X(role, "server|client", \
			"who listens there: the switch, or the guest's side (as --client says)") \
	X(guests, "N", "how many guests it takes at a time, 1 to 256 (1)") \
	X(vlan, "N", \
			"its tag on the uplink, 0 for none (--vlan-base and the port's slot); ports " \
			"with the same tag share that VLAN of the uplink") \
	X(mac, "ADDRESS+...", \
			"the only source addresses that its guests' frames may have, up to 16; others are " \
			"dropped as spoofed_mac. Ports that list none may not use them either") \
	X(isolated, "yes|no", \
			"yes: its guests reach the uplink and ports that are not isolated, and no other; " \
			"nor do they reach each other (no)") \
	X(own_tags, "keep|drop", \
			"drop: frames that a guest puts into a VLAN itself are dropped as own_tag, so that " \
			"it reaches no VLAN of the uplink except its port's; keep: they leave with the " \
			"guest's tag. A priority tag (VLAN 0) is no VLAN (keep)") \
	X(uml, "yes|no", \
			"yes: its guests are User Mode Linux: they may be signalled by sockets, and are " \
			"offered nothing that a virtual machine's monitor would have to do for them, " \
			"such as queue pairs and an MTU (no)") \
	X(owner, "USER:GROUP", "who owns its socket, by names or numbers (--dev-owner)") \
	X(mode, "MODE", "the permissions of its socket, in octal (--dev-mode)") \
	X(mtu, "N", \
			"the largest payload of its guests' frames in bytes, 68 to 9000; longer ones are " \
			"dropped as long_frame (1500; 9000 with mergeable=yes)") \
	X(queues, "N", "queue pairs that a guest may use, 1 to 16 (16)") \
	X(csum, "yes|no", "offer its guests checksum offload (--tx-csum)") \
	X(tso, "yes|no", "offer its guests segmentation offload, and with it csum (--tso)") \
	X(mergeable, "yes|no", "offer its guests mergeable receive buffers (--mergeable)")

/*
 * Returns true for a path that fits a line of the log, and of the configuration file; else prints why
 * not. `what` is the option or the key.
 */
bool conf_port_path_ok(const char *what, const char *path);

/* Adds the port of `--port text`: a name, then key=value, separated by commas. */
bool conf_port_add(struct conf *c, const char *text);

/* Sets one key of a port. `what` is the option, for errors. */
bool conf_port_set(struct conf_port *p, const char *what, const char *key, const char *value);

/*
 * Returns the number of keys, and the name of one, as users write it.
 */
unsigned int conf_port_keys(void);
const char *conf_port_key(unsigned int key, char name[PORT_KEY_MAX]);

/*
 * Writes the value of a key, so that conf_port_set() reads it back; "" if the port leaves it at its
 * default. Returns `text`.
 */
const char *conf_port_get(const struct conf_port *p, unsigned int key, char text[PORT_VALUE_MAX]);

/* Sets all keys of `key=value,...`. Changes the text. */
bool conf_port_set_all(struct conf_port *p, const char *what, char *text);

/* Names a port without a name after its socket, with a number if that name is taken. */
void conf_port_name(struct conf *c, struct conf_port *p);

/* Adds a port for a socket that an option gives by path, with that many guests at a time. */
bool conf_port_add_socket(struct conf *c, const char *option, const char *prefix, const char *name,
		unsigned int guests);

/*
 * Has ports without a name of their own take one guest each where the switch connects to their sockets (`client`), as
 * it does so once. The node, which has no socket, is always served.
 */
void conf_port_limit_clients(struct conf *c, bool client);

/* Adds the port of the cuse back end's device. Returns false if there are too many ports. */
bool conf_port_add_node(struct conf *c);

/*
 * Adds a port by name to settings whose ports have names, at the lowest free index for which
 * `taken` (may be NULL) returns false. Returns NULL, after an error was printed, if there is none, or if
 * the name is not allowed.
 */
struct conf_port *conf_port_create(struct conf *c, const char *name,
		bool (*taken)(void *arg, unsigned int index), void *arg);

/* Sets a key back to its default. Returns false, after an error was printed, if there is no such key. */
bool conf_port_unset(struct conf_port *p, const char *what, const char *key);

/* Returns true if a port has all that it needs, and a socket of its own; otherwise prints what is missing. */
bool conf_port_complete(const struct conf *c, const struct conf_port *p);

void conf_port_remove(struct conf *c, struct conf_port *p);

/* Names all ports that have no name yet. */
void conf_port_name_all(struct conf *c);

/* Prints a line for each key. */
void conf_port_help(FILE *out);

#endif /* CONF_PORT_H */
