# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Clients of the control socket that break its rules, while others are served and guests exchange frames."""

import contextlib
import fcntl
import itertools
import json
import os
import re
import resource
import socket
import sys
import termios
import time

import pytest

from lib.background import Background
from lib.control import Control, connect
from lib.proc import Process
from lib.switch import ROOT, Switch, sanitized_binary
from lib.wait import DEADLINE, wait_for

LOADGEN = os.path.join(ROOT, "build", "loadgen")
LONGEST = 1024 * 1024
CLIENTS = 16
TRIES = 3  # of the switch to accept a client, one a second


def request(method, number=1, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def say(path, data, end=False):
    """The answer to these bytes: one line, or None if the switch hangs up."""
    with contextlib.closing(connect(path)) as client, client.makefile("rb") as lines:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
        if end:
            client.shutdown(socket.SHUT_WR)
        line = lines.readline()
        return json.loads(line) if line else None


@pytest.fixture(name="control")
def _control(box):
    """A client of a switch with sanitizers, which must be served as before when the test ends."""
    with Switch(box, ["--port", "a,socket=a"], program=sanitized_binary()) as switch, Control(switch) as control:
        before = control.ask("port.list")
        yield control
        assert control.ask("port.list") == before


WRONG = [
    (b"{", -32700), (b"nonsense", -32700), (b"\x00\xff\xfe", -32700), (b'{"jsonrpc": "2.0", "id": 1', -32700),
    (b'{"a": "\xc3\x28"}', -32700), (b'{"a": "\\u0000"}', -32700), (b'{"a": 1, "a": 2}', -32700),
    (b"[" * 100000, -32700), (b'{"a":' * 100000, -32700), (b"9" * 5000, -32700), (b'"' + b"x" * 100000, -32700),
    (b"[]", -32600), (b"[" + request("hello").strip() + b"]", -32600), (b"1", -32700), (b"null", -32700),
    (b"{}", -32600), (b'{"jsonrpc": "1.0", "id": 1, "method": "hello"}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
    (b'{"jsonrpc": "2.0", "id": [1], "method": "hello"}', -32600), (request("hello", "x" * 257).strip(), -32600),
    (request("hello", "x" * (LONGEST - 100)).strip(), -32600), (request("hello", "\u00e9" * 100000).strip(), -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": [1]}', -32602),
    (request("hello", extra=1).strip(), -32602), (request("nothing").strip(), -32601),
    (request("x" * 60000).strip(), -32601), (request("\u00e4" * 100).strip(), -32601),
    (request("fdb.list", limit=0).strip(), -32602), (request("fdb.list", limit="1").strip(), -32602),
    (request("fdb.list", limit=(1 << 32) + 1).strip(), -32602),
    (request("fdb.list", **{"from": 1 << 32}).strip(), -32602),
    (request("worker.move", port="a", worker=1 << 32).strip(), 2),
    (request("worker.move", port="a", worker=0, device=1 << 32).strip(), 2),
    (request("fdb.del", mac="01:00:5e:00:00:01").strip(), -32602), (request("fdb.del", mac="").strip(), -32602),
    (request("port.add", name=1).strip(), -32602), (request("port.add", name="x" * 48, socket="s").strip(), 1),
    (request("port.add", name="x", socket="s" * 400).strip(), -32602),
    (request("port.add", name="x", socket={"a": []}).strip(), -32602),
    (request("port.add", name="x", socket="s", mac=["y"] * 1000).strip(), -32602),
    (request("port.set", name="\u0001").strip(), 2), (request("config.apply", text="[").strip(), 1),
    (request("config.apply", text="\\\n" * 100000).strip(), 1), (request("config.apply", text=1).strip(), -32602),
    (request("config.apply").strip(), 1), (request("log.set", level="loud").strip(), -32602),
]


def test_a_line_that_is_wrong_is_refused_by_name(control):
    for line, code in WRONG:
        answer = say(control.path, line + b"\n")
        assert answer["error"]["code"] == code, (line[:80], answer)
        assert answer["error"]["message"] and answer["jsonrpc"] == "2.0"


def test_a_notification_gets_no_answer(control):
    assert say(control.path, b'{"jsonrpc": "2.0", "method": "hello"}\n' + request("hello", 7))["id"] == 7
    assert say(control.path, b'\n\n\n' + request("hello", 8))["id"] == 8
    assert say(control.path, request("hello", 9), end=True)["id"] == 9
    assert say(control.path, request("hello", 9).strip(), end=True) is None


def test_a_long_id_comes_back(control):
    assert say(control.path, request("hello", "\u00e9" * 128))["id"] == "\u00e9" * 128


def test_all_that_came_before_the_end_is_answered(control):
    """The client reads only when it has said all and closed its end: more answers than may wait for it."""
    count = 1500
    with contextlib.closing(connect(control.path)) as client, client.makefile("rb") as lines:
        client.sendall(b"".join(request("hello", number) for number in range(count)))
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda: len(client.recv(1, socket.MSG_PEEK)) == 1, what="an answer")
        control.ask("hello")
        assert [json.loads(line)["id"] for line in lines] == list(range(count))


def test_a_line_without_an_end(control):
    answer = say(control.path, b"x" * (LONGEST + 1))
    assert "longer than" in answer["error"]["message"]


def test_one_that_hangs_up_behind_a_change_and_a_full_buffer(control):
    """The main lcore does not spin until the change is made."""
    with contextlib.closing(connect(control.path)) as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(request("port.set", name="a", queues=2))
            while True:
                client.send(b"x" * 65536)
    control.ask("hello")
    wait_for(lambda: control.port("a")["settings"].get("queues") == "2", what="the change is made all the same")
    control.ask("port.set", name="a", queues=None)


def test_many_requests_at_once_are_answered_in_order(control):
    with contextlib.closing(connect(control.path)) as client, client.makefile("rb") as lines:
        for i in range(300):
            client.sendall(request("port.add" if i % 3 == 0 else "port.del" if i % 3 == 2 else "hello", i,
                                   **({"name": "x", "socket": "x"} if i % 3 == 0 else
                                      {"name": "x"} if i % 3 == 2 else {})))
        answers = [json.loads(lines.readline()) for _ in range(300)]
    assert [answer["id"] for answer in answers] == list(range(300))
    assert all("result" in answer for answer in answers)


def test_more_clients_than_there_may_be(control):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(connect(control.path))) for _ in range(CLIENTS - 1)]
        answer = wait_for(lambda: say(control.path, b""), what="one client too many is told so")
        assert "too many clients" in answer["error"]["message"]
        control.ask("hello")
        for client in clients:
            client.sendall(b"{")
    wait_for(lambda: "result" in (say(control.path, request("hello")) or {}), what="there is room again")


def test_a_thousand_connections_at_once(control):
    """As many as there may be are served, each further one is told why not, and this one gets its answers meanwhile."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(1000):
            clients.append(stack.enter_context(contextlib.closing(connect(control.path))))
            if len(clients) % 100 == 0:
                control.ask("hello")
        answers = []
        for client in clients:
            with contextlib.suppress(BrokenPipeError):
                client.sendall(request("port.list"))
            with client.makefile("rb") as lines:
                answers.append(json.loads(lines.readline()))
        refused = [answer for answer in answers if "error" in answer]
        assert len(refused) == 1000 - (CLIENTS - 1)
        assert all("too many clients: at most 16" in answer["error"]["message"] for answer in refused)
        assert all(len(answer["result"]["ports"]) == 1 for answer in answers if "result" in answer)
        control.ask("port.set", name="a", isolated="yes")
        control.ask("port.set", name="a", isolated=None)


def main_thread(pid):
    """Returns how many seconds of a CPU the main lcore has used, and how often it has gone to sleep."""
    with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as schedstat:
        used = int(schedstat.read().split()[0]) / 1e9
    with open(f"/proc/{pid}/task/{pid}/status", encoding="ascii") as status:
        return used, int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", status.read(), re.M).group(1))


def test_no_fd_for_a_client(box):
    """The client waits, and the main lcore sleeps meanwhile: it does not spin on the listening socket."""
    with Switch(box, ["--port", "a,socket=a"], stats_every=0) as switch, Control(switch) as control:
        control.ask("hello")  # all that it opens at its start is open
        before = resource.prlimit(switch.pid, resource.RLIMIT_NOFILE)
        used = os.listdir(f"/proc/{switch.pid}/fd")
        free = next(number for number in itertools.count() if str(number) not in used)
        resource.prlimit(switch.pid, resource.RLIMIT_NOFILE, (free, before[1]))
        with contextlib.closing(connect(control.path)) as client, client.makefile("rb") as lines:
            client.sendall(request("hello"))
            switch.wait_output("control socket: further clients wait: Too many open files")
            (used, slept), begin = main_thread(switch.pid), time.monotonic()
            wait_for(lambda: main_thread(switch.pid)[1] >= slept + TRIES, what="the main lcore sleeps between tries")
            share = (main_thread(switch.pid)[0] - used) / (time.monotonic() - begin)
            assert share < 0.1, f"the main lcore's share of a CPU: {share}"
            control.ask("port.list")
            resource.prlimit(switch.pid, resource.RLIMIT_NOFILE, before)
            assert "result" in json.loads(lines.readline())
        assert switch.stderr.count("further clients wait") == 1


def test_ten_thousand_connections_leave_nothing_behind(control):
    pid = control.ask("hello")["pid"]

    def held():
        return len(os.listdir(f"/proc/{pid}/fd"))

    before = held()
    for i in range(10000):
        with contextlib.closing(connect(control.path)) as client:
            # Some leave in the middle of a line, some without their answer, some while a change is made.
            if i % 4:
                client.sendall(request("port.list")[:i % 40] if i % 4 == 1 else request("hello") if i % 4 == 2
                               else request("port.set", name="a", mtu=1400 + i % 64))
    wait_for(lambda: held() <= before, what="their file descriptors are closed")
    control.ask("port.set", name="a", mtu=None)


def test_the_switch_ends_while_a_change_is_made(box):
    """A client that waits for the change is answered, and nothing is leaked (the sanitizer would complain)."""
    for _ in range(10):
        with Switch(box, ["--port", "a,socket=a"], program=sanitized_binary(), stats_every=0) as switch, \
                Control(switch) as control:
            with contextlib.closing(connect(control.path)) as client, client.makefile("rb") as lines:
                client.sendall(request("config.apply", text="[port a]\nsocket = a\n" + "".join(
                    f"[port p{i}]\nsocket = p{i}\n" for i in range(100))))
                wait_for(lambda: os.path.exists(switch.socket("p0")), what="the change is being made")
                switch.stop()
                answer = json.loads(lines.readline())
                assert answer["id"] == 1
                ended = answer.get("error", {}).get("message") == "the switch is ending"
        if ended:
            return
    raise AssertionError("the change was made too soon, ten times")


def test_one_that_never_reads_is_disconnected(box):
    with Switch(box, ["--port", "a,socket=a"], program=sanitized_binary()) as switch, Control(switch) as control:
        with contextlib.closing(connect(control.path)) as deaf, contextlib.closing(connect(control.path)) as slow:
            slow.sendall(request("events.subscribe"))
            deaf.settimeout(1)
            with contextlib.suppress(TimeoutError):
                deaf.sendall(request("port.list") * 20000)
            for i in range(3000):
                control.ask("port.set", name="a", vlan=i % 4000)
            with slow.makefile("r") as lines:
                assert json.loads(lines.readline())["id"] == 1
                told = [json.loads(lines.readline())["params"] for _ in range(100)]
                assert all(event["event"] == "port.changed" for event in told)
            switch.wait_output("a client that does not read its answers is disconnected", deadline=60)


def test_lost_events_are_told_of_as_soon_as_there_is_room(box):
    """Not only with the next event, which may be long in coming."""
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control, Control(switch) as watcher:
        watcher.ask("events.subscribe")
        changes, waits, before = 0, 0, -1
        while waits != before:  # until the socket takes no more, and the switch has kept all that it keeps
            # Faster than the switch's patience with the watcher, so not each after the answer to the one before.
            for _ in range(10):
                for _ in range(100):
                    control.send("port.set", name="a", vlan=changes % 4000)
                    changes += 1
                assert all("result" in control.read() for _ in range(100))
            before = waits
            waits = int.from_bytes(fcntl.ioctl(watcher.socket, termios.FIONREAD, bytes(4)), sys.byteorder)
        events = [watcher.read()["params"]]
        while events[-1]["event"] == "port.changed":
            events.append(watcher.read()["params"])
        assert events[-1] == {"event": "events.lost", "count": changes - len(events) + 1}


class Attack(Background):
    """Requests as fast as they go, wrong lines, connections and changes; on the main lcore's CPU."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.rounds = 0

    def work(self):
        os.sched_setaffinity(0, {0})  # this thread alone: the worker has the other CPU
        while not self.over.is_set():
            with contextlib.suppress(ConnectionError, json.JSONDecodeError):
                with contextlib.closing(connect(self.path)) as client, client.makefile("rb") as lines:
                    client.sendall(request("port.list") * 20 + request("stats") * 20 + b"[" * 3000 + b"\n"
                                   + request("fdb.list") * 20)
                    for _ in range(61):
                        lines.readline()
            self.rounds += 1


def test_frames_do_not_notice(box):
    """Numbered frames at a fixed rate, of which none is lost, and as many as fit, beside an attack and without one."""
    def generated(switch, *options):
        with Process([LOADGEN, "--flows", "both", "--cpu", "0", "--socket", switch.socket("a"), *options]) as generator:
            generator.wait(2 * DEADLINE)
        return generator.out.decode()

    def rate(switch):
        out = generated(switch, "--seconds", "0.7", "--warmup", "0.2")
        return float(re.search(r" mpps=([\d.]+)", out).group(1))

    with Switch(box, ["--port", "a,socket=a,guests=2"]) as switch, Control(switch):
        path = f"{switch.directory}/dpdk/{switch.prefix}/control"

        def verified():
            assert " ok=1" in generated(switch, "--mode", "verify", "--rate", "5000", "--seconds", "3")
            return attack.rounds > 10
        with Attack(path) as attack:
            wait_for(verified, what="an attack that got enough of the CPU")
        quiet, beside = [], []
        for _ in range(3):
            quiet.append(rate(switch))
            with Attack(path):
                beside.append(rate(switch))
        print(f"quiet {quiet}, beside an attack {beside}")
        # The generator has its CPU for itself alone without the attack, which takes two thirds of it.
        assert max(b / q for b, q in zip(beside, quiet)) >= 0.25
