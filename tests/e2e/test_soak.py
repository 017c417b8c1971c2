# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Eight guests on two workers, all sending to all, for half a minute, under the sanitizer build.

SOAK_SECONDS sets another length.
"""

import os
import time

from lib.frames import BROADCAST
from lib.switch import TWO_WORKERS, Switch, sanitized_binary
from lib.testpmd import Testpmd, virtio_user

GUESTS = 8
SECONDS = float(os.environ.get("SOAK_SECONDS", "30"))
MACS = [f"cc:bb:bb:bb:bb:{i:02x}" for i in range(GUESTS)]
# Growth of a process that holds nothing more than before: allocator and quarantine, both bounded.
GROWTH_KIB = 16384


def guests(box, switch):
    return Testpmd(box, [virtio_user(i, switch.socket(), mac) for i, mac in enumerate(MACS)],
                   memory=256, mbufs=GUESTS * 1024 + 4096)


def aim(pmd, step):
    """Each guest sends to the one `step` further on; every GUESTS-th time to all, which fills every ring again."""
    for port in range(GUESTS):
        target = BROADCAST if step % GUESTS == 0 else MACS[(port + step) % GUESTS]
        pmd.command(f"set eth-peer {port} {target}")


def test_eight_guests_all_to_all(box):
    # A small quarantine: else freed memory counts as held.
    options = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1"}
    with Switch(box, program=sanitized_binary(), lcores=TWO_WORKERS, env=options) as switch:
        def visit(seconds, steps):
            with guests(box, switch) as pmd:
                end = time.monotonic() + seconds
                step = 0
                while step < steps or time.monotonic() < end:
                    aim(pmd, step)
                    pmd.forward("mac")
                    before = switch.next_table()
                    switch.wait_table(lambda t, b=before: all(t[d].sent > b[d].sent for d in range(GUESTS)))
                    pmd.stop_forwarding()
                    step += 1
                busy = switch.next_table()
                for device in range(GUESTS):
                    assert busy[device].delivered > 0 and busy[device].sent > 0, busy.text
                pmd.quit()
            switch.wait_table(lambda t: not t.devices())  # all guests gone

        visit(0, steps=2)
        before = switch.held_at_rest()
        resident = switch.resident_kib()
        visit(SECONDS, steps=GUESTS)
        switch.wait_held(before)
        assert switch.resident_kib() - resident < GROWTH_KIB
        table = switch.stop()
        assert table["departed"].received > 0
        assert sorted(mac for _, mac, _ in switch.registered()) == sorted(MACS * 2)
