# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""systemd itself runs the service of contrib/, hardened as it is, in a virtual machine.

systemd has a process namespace of its own there, and no units but ours, which it starts at once, and
the targets that ours wants.
"""

import re

import pytest

from lib import guide
from lib.wait import wait_for
from vm.machine import DEADLINE_THERE, Machine

UNITS = "/run/units"
SOCKET = "/run/vhost-switch/usvhost"
LOG = "/run/systemd.log"
START = f"""
mkdir {UNITS}
for unit in sysinit basic shutdown; do cp /lib/systemd/system/$unit.target {UNITS}; done
cp contrib/vhost-switch.service {UNITS}
cp contrib/vhost-switch.default /etc/default/vhost-switch
cp build/vhost-switch /usr/local/sbin
systemd-sysusers "$PWD/contrib/vhost-switch.sysusers"
mount -t cgroup2 cgroup /sys/fs/cgroup
unshare --pid --fork --mount-proc env -i container=test PATH=$PATH SYSTEMD_UNIT_PATH={UNITS} \
    /lib/systemd/systemd --unit=vhost-switch.service --log-target=console --show-status=0 < /dev/null > {LOG} 2>&1 &
"""
# CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_NICE
CAPABILITIES = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 23
# Two guests that check each frame they get from each other.
FRAMES = f"build/loadgen --mode verify --flows both --rate 200 --ring 256 --seconds 0.5 --cpu 0 --socket {SOCKET}"


@pytest.fixture(scope="module")
def machine(module_box):
    with Machine(module_box, "machine", modules=["tun"], hugepages=128) as made:
        made.run(START)
        yield made


def wait_serving(machine):
    """Waits until the service has its sockets."""
    there = f"test -S {SOCKET} && test -S /run/vhost-switch/control"
    wait_for(lambda: machine.run(there, check=False)[0] == 0, DEADLINE_THERE,
             lambda: machine.run(f"cat {LOG}"))


def systemctl(machine, *commands):
    """Runs these where systemd is process 1, as it answers nobody else; returns what they print."""
    script = " && ".join(f"systemctl {command}" for command in commands)
    return machine.run(f"nsenter --mount --pid --target $(pidof systemd) sh -c '{script}' || {{ cat {LOG}; false; }}")


def test_service_runs_hardened_as_delivered(machine):
    wait_serving(machine)
    status = dict(re.findall(r"^(\w+):\s*(\w+)$", machine.run("cat /proc/$(pidof vhost-switch)/status"), re.M))
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == CAPABILITIES
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert " ok=1" in machine.run(FRAMES)
    # The tool finds the service, and what it adds works within the service's confinement.
    assert "usvhost " in machine.run("build/vhost-switch-ctl show")
    machine.run("build/vhost-switch-ctl add vm9 socket=/run/vhost-switch/vm9.sock")
    machine.run("test -S /run/vhost-switch/vm9.sock")
    systemctl(machine, "reload vhost-switch")
    machine.run("build/vhost-switch-ctl del vm9 && ! test -e /run/vhost-switch/vm9.sock")


def test_ready_when_the_socket_is_there(machine):
    """systemctl waits for READY=1, and nobody else does."""
    folder = machine.run("stat -c %i /run/vhost-switch")
    systemctl(machine, "restart vhost-switch")
    assert machine.run("stat -c %i /run/vhost-switch") == folder, "containers have mounted it"
    assert machine.run(f"stat -c '%F %U:%G %a' {SOCKET}").strip() == "socket root:vhost-switch 770"
    shown = systemctl(machine, "show -p ActiveState,Type,WatchdogUSec,NotifyAccess vhost-switch")
    assert set(shown.split()) == {"ActiveState=active", "Type=notify", "WatchdogUSec=30s", "NotifyAccess=main"}
    wait_for(lambda: "StatusText=guests: 0, workers: 1, uplink: none" in systemctl(
        machine, "show -p StatusText vhost-switch"), DEADLINE_THERE, lambda: machine.run(f"cat {LOG}"))


def test_who_may_connect_a_guest_does_not_control_the_switch(machine):
    """QEMU's user is in the group vhost-switch, and not trusted."""
    wait_serving(machine)
    assert machine.run("stat -c '%F %U:%G %a' /run/vhost-switch/control").strip() == \
        "socket root:vhost-switch-admin 660"
    somebody = "setpriv --reuid nobody --regid nogroup --groups {} sh -c '{}' 2>&1"
    guest, tool = f"test -w {SOCKET} && echo may connect", "build/vhost-switch-ctl show"
    assert "may connect" in machine.run(somebody.format("vhost-switch", guest))
    assert "Permission denied" in machine.run(somebody.format("vhost-switch", tool), check=False)[1]
    assert "may connect" not in machine.run(somebody.format("vhost-switch-admin", guest), check=False)[1]
    assert "usvhost " in machine.run(somebody.format("vhost-switch-admin", tool))


def test_hung_switch_is_ended_and_started_again(machine):
    """A switch that is stopped as a whole feeds no watchdog; tests/e2e/test_notify.py has a single hung worker."""
    wait_serving(machine)
    machine.run(f"mkdir -p {UNITS}/vhost-switch.service.d && "
                f"printf '[Service]\nWatchdogSec=10\n' > {UNITS}/vhost-switch.service.d/fast.conf")
    systemctl(machine, "daemon-reload", "restart vhost-switch")
    machine.run("kill -STOP $(pidof vhost-switch)")
    # Where all is slow, the next one may not be ready in time, either.
    wait_for(lambda: re.search("NRestarts=[1-9]", systemctl(machine, "show -p NRestarts vhost-switch")),
             DEADLINE_THERE, lambda: machine.run(f"cat {LOG}"))
    assert "vhost-switch.service: Watchdog timeout" in machine.console()
    machine.run(f"rm -r {UNITS}/vhost-switch.service.d")
    systemctl(machine, "daemon-reload", "restart vhost-switch")
    wait_serving(machine)


def test_service_has_an_uplink_and_stops_in_order(machine):
    machine.run("""sed -i -e 's/^EAL_OPTIONS="/&--vdev net_tap0,iface=up0 /' """
                """-e 's/^OPTIONS="/&-p 0x1/' /etc/default/vhost-switch""")
    systemctl(machine, "restart vhost-switch")
    wait_serving(machine)
    machine.run("ip link show up0")
    # Telemetry is found by the command of the guide as it is written there, with nothing set for it.
    (command,) = [c for block in guide.blocks() for c in block.commands() if "dpdk-telemetry.py" in c]
    assert '"received": ' in machine.run(f'test -z "$RUNTIME_DIRECTORY" && {command}')
    ended = systemctl(machine, "stop vhost-switch", "show -p Result,ExecMainStatus,ActiveState vhost-switch")
    assert set(ended.split()) == {"Result=success", "ExecMainStatus=0", "ActiveState=inactive"}
    machine.run("! test -e /run/vhost-switch")
