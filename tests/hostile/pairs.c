/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guests with several queue pairs. See pairs.h. */
#include "pairs.h"

struct nic_opts
pairs_opts(unsigned n)
{
	struct nic_opts opts = party_opts();

	opts.dev.features |= VU_F_MQ;
	opts.dev.protocol |= VU_PROTOCOL_MQ;
	opts.dev.n_pairs = n;
	opts.dev.mem.region_size = 2 << 20;
	return opts;
}

bool
pairs_open(struct hostile *h, unsigned n, struct party **p, struct party **peer)
{
	struct nic_opts opts = pairs_opts(n);

	*p = party_open(h, &opts);
	*peer = *p != NULL ? party_open(h, NULL) : NULL;
	return *peer != NULL && party_meet(*p, *peer) &&
			EXPECT(h, (*p)->nic.n_pairs == n, "%u pairs instead of %u",
					(*p)->nic.n_pairs, n);
}

bool
pairs_say(struct party *p, struct party *peer)
{
	bool ok = true;

	for (unsigned i = 0; i < p->nic.n_pairs && ok; i++) {
		p->nic.tx_pair = i;
		ok = party_says(p, peer) && party_says(peer, p);
	}
	p->nic.tx_pair = 0;
	return ok;
}

bool
pairs_enable(struct party *p, unsigned from, unsigned to, bool on)
{
	for (unsigned i = from; i < to; i++)
		if (vu_dev_set_vring_enable(&p->nic.dev, i, on) != 0)
			return fail(p->h, "ring %u could not be %s", i,
					on ? "enabled" : "disabled");
	return vu_dev_sync(&p->nic.dev) == 0 || fail(p->h, "the connection was closed");
}
