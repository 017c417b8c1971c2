# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Where the switch is started: as another user, in a container, in a cpuset, beside other DPDK programs.

Each either works or ends with one line that names the remedy, which the test then follows.
"""

import contextlib
import mmap
import os
import re
import signal
import socket
import stat

import pytest

from lib import hugepages, proc
from lib.control import Control
from lib.frames import BROADCAST, frame
from lib.room import room
from lib.start import before_eal, refused, start
from lib.switch import Switch, binary
from lib.wait import pause, wait_for

NOBODY = 65534
MAP_HUGETLB = 0x40000
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")

NO_HUGETLBFS = """
for m in $(awk '$3 == "hugetlbfs" { print $2 }' /proc/mounts); do umount "$m"; done
exec "$@"
"""
CONTAINER = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", NO_HUGETLBFS, "sh")
READ_ONLY = ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
             NO_HUGETLBFS.replace("exec", "mount -t hugetlbfs -o ro nodev /dev/hugepages\nexec"), "sh")


@pytest.fixture
def open_box(box):
    """A test's directory that any user may write to."""
    os.chmod(box.directory, 0o777)
    return box


# Hugepages.


@pytest.mark.parametrize("before,words", [
    (AS_NOBODY, ["hugetlbfs /", "Permission denied", f"user {NOBODY}"]),
    (CONTAINER, ["no hugetlbfs", "mount -t hugetlbfs"]),
    (READ_ONLY, ["hugetlbfs /dev/hugepages", "Read-only file system"]),
], ids=["user", "container", "read-only"])
def test_hugepages_out_of_reach(open_box, before, words):
    result = start(open_box, before=before, memory=())
    refused(result, *words, "--in-memory")
    before_eal(result)
    passes_a_frame(open_box, before)


def passes_a_frame(box, before):
    """The remedy: with --in-memory it starts, and switches."""
    with room(box, 2, before=before) as r:
        one, two = r.guests
        assert r.reached(one, frame(BROADCAST, one.mac)) == {two}


def test_hugetlbfs_that_is_no_mount(box):
    result = start(box, memory=("--huge-dir", box.directory))
    refused(result, f"--huge-dir {box.directory}", "hugetlbfs", "--in-memory", "mount")
    before_eal(result)


@pytest.mark.parametrize("memory", [("--socket-mem", "64"), ("--socket-limit", "64"), ("--legacy-mem",),
                                    ("--huge-dir", "/dev/hugepages")], ids=lambda words: words[0])
def test_hugepages_asked_for_and_not_free(box, memory):
    hide = ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
            'mount -t tmpfs none /sys/kernel/mm/hugepages\nexec "$@"', "sh")
    result = start(box, before=hide, memory=memory)
    refused(result, f"{memory[0]}: no hugepages are free", "nr_hugepages")
    before_eal(result)


@contextlib.contextmanager
def hugetlbfs(box):
    """A mount of its own."""
    folder = box.path("pages")
    os.mkdir(folder)
    proc.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", folder])
    try:
        yield folder
    finally:
        proc.run(["umount", folder])
        os.rmdir(folder)


@contextlib.contextmanager
def few_hugepages(left):
    """All hugepages except so many are in use."""
    def steady():
        """What a process that has ended held may come back a moment later."""
        before = hugepages.counts()
        pause()
        return hugepages.counts() == before
    wait_for(steady, what="as many hugepages free as before")
    hugepages.require(2 * left * hugepages.SIZE_MIB)
    size = (hugepages.counts()[1] - left) * hugepages.SIZE_MIB << 20
    with mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE | MAP_HUGETLB):
        yield


def test_pages_in_a_mount_that_is_not_used(box):
    """EAL looks at the first mount of each size: what a killed switch has left in another one stays there."""
    with hugetlbfs(box) as mount, few_hugepages(32):
        switch = Switch(box, memory=("--huge-dir", mount, "--socket-mem", "64"))
        switch.signal(signal.SIGKILL)
        switch.wait()
        switch.end()
        os.unlink(box.path("usvhost"))
        refused(start(box, memory=("--socket-mem", "64")), "--socket-mem: no hugepages are free")


@pytest.mark.parametrize("below", ["", "/", "/mine"])
def test_pages_of_a_switch_that_was_killed_are_free(box, below):
    """They are in its files until EAL, at the next start, removes those. --huge-dir is a mount or a folder in one."""
    with hugetlbfs(box) as mount, few_hugepages(32):
        os.makedirs(mount + below, exist_ok=True)
        for _ in range(2):
            switch = Switch(box, memory=("--huge-dir", mount + below, "--socket-mem", "64"))
            switch.signal(signal.SIGKILL)
            switch.wait()
            switch.end()
    os.unlink(box.path("usvhost"))


def test_two_switches_in_memory_on_ordinary_pages(box):
    """--in-memory counts even where it must not reach EAL: no process has the prefix then."""
    hide = ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
            'mount -t tmpfs none /sys/kernel/mm/hugepages\nexec "$@"', "sh")
    with Switch(box, ["--socket-file", "one"], before=hide) as one, \
            Switch(box, ["--socket-file", "two"], before=hide, eal=["--file-prefix", one.prefix]) as two:
        assert "ordinary pages" in one.stderr and "ordinary pages" in two.stderr
        box.foreign_sockets.add("one")
    assert not os.path.exists(box.path("one"))


# CPUs.


@contextlib.contextmanager
def cpuset(box, cpus):
    """What puts a program into a cpuset: words that go before a command."""
    root = box.path("cgroup")
    os.mkdir(root)
    for kind in (("cgroup", "-o", "cpuset"), ("cgroup2",)):
        if proc.run(["mount", "-t", *kind, "none", root], check=False)[0] == 0:
            break
    else:
        pytest.skip("this machine has no cpuset controller")
    group = os.path.join(root, box.prefix)
    try:
        if kind == ("cgroup2",):
            write(os.path.join(root, "cgroup.subtree_control"), "+cpuset")
        os.mkdir(group)
        if kind != ("cgroup2",):
            write(os.path.join(group, "cpuset.mems"), "0")
        write(os.path.join(group, "cpuset.cpus"), cpus)
        yield ["sh", "-ec", f'echo $$ > {group}/cgroup.procs\nexec "$@"', "sh"]
    finally:
        try:
            if os.path.isdir(group):
                os.rmdir(group)
        finally:
            proc.run(["umount", root])
            os.rmdir(root)


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def test_cpuset_without_cpu_0(box):
    with cpuset(box, "1") as inside:
        for lcores in ("0,1", "0@0,1@1"):
            result = start(box, lcores=lcores, before=inside)
            line = refused(result, f"--lcores {lcores}", "CPU 0 is not there", "has 1:")
            before_eal(result)
        remedy = re.search(r"--lcores (\S+)$", line)[1]
        assert remedy == "0@1,1@1"
        with Switch(box, lcores=remedy, before=inside):
            pass


def test_taskset_is_no_cpuset(box):
    """A mask can be undone: CPU 0 may be named, and nothing is refused."""
    with Switch(box, lcores="0@0,1@1", before=["taskset", "-c", "1"]):
        pass


@pytest.mark.parametrize("option", ["-l", "--lcores"])
def test_cpu_that_the_machine_lacks(box, option):
    cpu = os.cpu_count()
    argv = [binary(), option, f"0,{cpu}", "--in-memory", "--no-pci", "--file-prefix", box.unique("opt"), "--"]
    result = proc.run(argv, check=False, cwd=box.directory, env={"RUNTIME_DIRECTORY": box.directory})
    refused(result, f"{option} 0,{cpu}", f"CPU {cpu} is not there", f"has 0-{cpu - 1}:", "as in (-l|--lcores) ")
    before_eal(result)


# Other programs, other words.


def test_prefix_of_a_live_switch(box):
    with Switch(box, memory=()) as first:
        result = start(box, memory=(), prefix=first.prefix)
        refused(result, f"--file-prefix {first.prefix}", rf"process {first.pid} \(vhost-switch\)",
                "as in --file-prefix switch2$")
        before_eal(result)
        with Switch(box, ["--socket-file", "second"], memory=()) as second:
            assert "no control socket" not in second.stderr
            box.foreign_sockets.add("usvhost")
        box.foreign_sockets.clear()


@pytest.mark.parametrize("memory", [(), ("--in-memory",)], ids=["in files", "in memory"])
def test_switch_in_memory_beside_one_of_the_prefix(box, memory):
    """The second one starts, and has no control socket: it says how it gets one. With --control it has."""
    def second(*options):
        return Switch(box, ["--socket-file", "second", *options], eal=["--file-prefix", first.prefix])

    def warned(switch):
        return [line for line in switch.stderr.splitlines() if "no control socket" in line]

    with Switch(box, memory=memory) as first:
        box.foreign_sockets.add("usvhost")
        path = f"{first.directory}/dpdk/{first.prefix}/control"
        with second() as switch:
            assert warned(switch) == [f"vhost-switch: no control socket: socket {path}: in use by a live process: "
                                      "choose another path by --control"]
        with second("--control", box.path("ctl")) as switch:
            assert not warned(switch) and stat.S_ISSOCK(os.stat(box.path("ctl")).st_mode)
        with Control(first) as control:
            assert control.names() == ["usvhost"]
        box.foreign_sockets.clear()


@contextlib.contextmanager
def crowded(path):
    """Somebody listens at a socket and accepts nobody, and as many wait there as may."""
    with contextlib.ExitStack() as stack:
        def end():
            return stack.enter_context(socket.socket(socket.AF_UNIX))
        listener = end()
        listener.bind(path)
        stack.callback(os.unlink, path)
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = end()
                client.setblocking(False)
                client.connect(path)
        yield


def test_socket_of_somebody_who_accepts_nobody(box):
    """Neither the start nor a change waits for that."""
    with crowded(box.path("usvhost")):
        refused(start(box), "usvhost: in use by a live process")
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control, crowded(box.path("b")):
        assert "b: in use by a live process" in control.refused("port.add", name="b", socket=box.path("b")).message
        control.ask("port.set", name="a", isolated=True)


def test_prefix_of_a_killed_switch(box):
    first = Switch(box, memory=())
    first.kill()
    with Switch(box, memory=(), eal=["--file-prefix", first.prefix]):
        pass


@pytest.mark.parametrize("eal,words", [
    (["--no-such-eal-option"], ["--no-such-eal-option", "no option of DPDK", "-h --"]),
    (["--no-pci=5"], ["--no-pci=5", "not with this value", "-h --"]),
    (["--vdev", "net_nonsense0"], ["EAL does not start: --vdev net_nonsense0: ", "-h --"]),
    (["--iova-mode", "nonsense"], ["EAL does not start: --iova-mode nonsense: ", "-h --"]),
    (["--iova=nonsense"], ["EAL does not start: --iova-mode nonsense: "]),
    (["--file-prefix"], ["--file-prefix: needs a value", "-h --"]),
    (["-n", "x"], ["-n x: must be a number of memory channels from 1", "leave it out"]),
    (["-n", "0"], ["-n 0: must be a number of memory channels from 1"]),
    (["-r", "17"], ["-r 17: must be a number of memory ranks from 1 to 16"]),
    (["-m", "64k"], ["-m 64k: must be a number of MiB from 0"]),
    (["-m", "999999999"], [r"-m 999999999: \d+ MiB of hugepages can be had", "ask for less"]),
    (["--socket-mem", "999999999,0"], [r"--socket-mem 999999999,0: \d+ MiB of hugepages can be had"]),
    (["--socket-mem", "0,0,0,0,0,0,0,2"], ["--socket-mem 0,0,0,0,0,0,0,2: this machine has no NUMA node 7: "]),
    (["--log-level", "lib.eal:loud"], ["--log-level lib.eal:loud: must end with a level"]),
    (["--numa-mem=999999999"], [r"--numa-mem=999999999: \d+ MiB of hugepages can be had"]),
    (["--proc-type", "x"], ["EAL does not start: .*process type", "-h --"]),
    (["--main-lcore", "99"], ["EAL does not start: .*lcore", "-h --"]),
    (["-d", "x"], ["EAL does not start: .*x: cannot open", "-h --"]),
], ids=lambda v: v[0] if v[0].startswith("-") else "")
def test_what_eal_refuses_is_named(box, eal, words):
    """By one line, the same for each release of DPDK."""
    result = start(box, eal=eal)
    refused(result, *words)
    before_eal(result)


def test_log_level_shows_what_eal_says(box):
    result = start(box, eal=["--vdev", "net_nonsense0", "--log-level=lib.eal:8"])
    refused(result, "--vdev net_nonsense0: ")
    assert "EAL: Detected CPU lcores" in result[2]


def test_log_levels_can_be_listed(box):
    status, out, _ = proc.run([binary(), "--log-level=help", "--"], check=False, cwd=box.directory)
    assert status == 0 and "lib.eal" in out


def test_memory_that_eal_lacks(box):
    """By a limit that is too small. EAL's own lines are shown, and end with ours."""
    result = start(box, eal=["--socket-limit", "1"])
    refused(result, "EAL does not start: ")
    reason = re.search("EAL does not start: ([^;\n]+)", result[2]).group(1)
    assert f"EAL: {reason}" in result[2]


def test_options_are_spelled_as_one_likes(box):
    """Shortened, joined with a value, and more than once: the last one counts."""
    with Switch(box, eal=["--file", "first", "--file-prefix=second", "-n4", "--no-pci", "--main-l=0"]) as switch:
        assert "EAL: Detected CPU lcores" in switch.stderr


@pytest.mark.parametrize("words", [["-l", "0,1", "--stats", "5"], ["-p", "1", "--"], ["--", "--no-pci"]], ids=" ".join)
def test_option_on_the_wrong_side(box, words):
    status, out, err = proc.run([binary(), *words], check=False, cwd=box.directory)
    line = refused((status, out, err), "option of (EAL|the switch)", "(before|after) \"--\"")
    assert next(w for w in words if w in ("--stats", "-p", "--no-pci")) in line
    before_eal((status, out, err))


def test_help_of_eal_can_still_be_had(box):
    status, out, _ = proc.run([binary(), "-h", "--"], check=False, cwd=box.directory)
    assert status == 0
    assert "--file-prefix" in out and "--lcores" in out


# QEMU as another user.


CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def may_connect(path, *, uid=NOBODY, gid=NOBODY):
    """Returns true if a process of such a user can connect to the socket."""
    as_user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    status, _, err = proc.run([*as_user, "/usr/bin/python3", "-c", CONNECT, path], check=False)
    assert status == 0 or "PermissionError" in err, err
    return status == 0


@pytest.mark.parametrize("options,mode,owner,user,group", [
    ([], 0o755, (0, 0), False, False),
    (["--dev-mode", "0666"], 0o666, (0, 0), True, True),
    (["--dev-owner", f"0:{NOBODY}", "--dev-mode", "0660"], 0o660, (0, NOBODY), True, True),
    (["--dev-owner", f"{NOBODY}:0", "--dev-mode", "0600"], 0o600, (NOBODY, 0), True, False),
    (["--dev-owner", f"{NOBODY}:{NOBODY}"], 0o755, (NOBODY, NOBODY), True, False),
], ids=["default", "mode", "group", "user", "owner alone"])
def test_who_may_connect(open_box, options, mode, owner, user, group):
    with Switch(open_box, ["--socket-file", "a", "--dev-basename", "b", *options]) as switch:
        for name in ("a", "b"):
            found = os.stat(switch.socket(name))
            assert (oct(found.st_mode & 0o777), (found.st_uid, found.st_gid)) == (oct(mode), owner)
            assert may_connect(switch.socket(name)) == user
            assert may_connect(switch.socket(name), uid=NOBODY - 1) == group


def test_socket_that_can_not_be_given_away(open_box):
    result = start(open_box, ["--socket-file", "a", "--dev-owner", "0:0"], before=AS_NOBODY)
    refused(result, "socket a", "owner 0:0", "Operation not permitted", "as root")
    assert not os.path.lexists(open_box.path("a"))
