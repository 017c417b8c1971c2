/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Static addresses of guests: see statics.h for the contract. */
#include <stdlib.h>

#include <rte_common.h>

#include "run/statics.h"

/* The first list has room for so many: most switches need no other, as few guests have a static address. */
#define SIZE_FIRST 16u

void
statics_free(struct statics *s)
{
	free(s->list);
	*s = (struct statics){.list = NULL};
}

bool
statics_add(struct statics *s, const struct static_address *a)
{
	unsigned int size = RTE_MAX(SIZE_FIRST, 2 * s->size);
	struct static_address *list;

	if (s->n == s->size) {
		list = realloc(s->list, size * sizeof(*list));
		if (list == NULL)
			return false;
		s->list = list;
		s->size = size;
	}
	s->list[s->n++] = *a;
	return true;
}

bool
statics_drop(struct statics *s, uint64_t key)
{
	bool waited;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		if (s->list[i].key != key)
			continue;
		waited = s->list[i].waits;
		s->list[i] = s->list[--s->n];
		return waited;
	}
	return false;
}

void
statics_drop_ports(struct statics *s, const struct conf *c)
{
	unsigned int i;

	for (i = s->n; i-- > 0;)
		if (conf_find_port(c, s->list[i].port) == SOCKET_MAX)
			s->list[i] = s->list[--s->n];
}
