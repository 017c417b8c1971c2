# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The guide, the man page and README: they build without a warning, their commands work as they are, their options
are those of --help, and the messages that they quote exist.

Commands are taken from the text itself; doc/hacking.rst ("The guide") says how a block is marked. Those that need
a machine of their own are run by tests/vm/test_guide.py.
"""

import os
import re
import signal

import pytest

from lib import guide, proc, stats
from lib.guests import Guests
from lib.netns import Namespace
from lib.proc import Process
from lib.switch import READY, ROOT, Switch, binary
from lib.wait import BUILD_DEADLINE, wait_for

NOT_RUN = ("no", "message", "part of", "vm", "vm switch", None)  # not here: tests/vm/test_guide.py has vm
SCENES = [(f"{os.path.basename(path)}-{number}", scene) for path in guide.files()
          for number, scene in enumerate(guide.scenes(path))
          if any(block.kind not in NOT_RUN for block in scene)]
DEADLINE = 120  # seconds for a virtual machine under TCG to send its first frame
PROMPT = r"testpmd> "

# What a scene must not change or see of the machine: /run (sockets, DPDK's run-time files, namespaces), what others
# have in hugetlbfs, mounts, interfaces. Hugepages themselves come from the machine.
OWN_PLACE = """
mount -t tmpfs none /run
mount -t hugetlbfs none /dev/hugepages
mkdir /run/mnt && mount --bind /run/mnt /mnt
ip link set lo up
echo here
exec sleep infinity
"""


class Scene:
    """Blocks that belong together, in order, in mount and network namespaces of their own."""

    def __init__(self, box):
        self.box = box
        self.switch = self.guest = None
        self.guests = []
        self.place = Process(["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec", OWN_PLACE])
        self.place.wait_output("here", stream="out")

    def start(self, text, **arguments):
        text = guide.fit(text)
        namespaces = [f"--{kind}=/proc/{self.place.pid}/ns/{name}" for kind, name in (("mount", "mnt"), ("net", "net"))]
        path = os.pathsep.join((os.path.dirname(binary()), ROOT, os.environ["PATH"]))
        at = ROOT if text.startswith("make") else self.box.directory
        # --wd: entering a mount namespace leaves the working directory behind
        return Process(["nsenter", *namespaces, f"--wd={at}", "bash", "-euc", text], name=text.split()[0], stdin=True,
                       env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MAKEFLAGS": ""})

    def play(self, block):
        getattr(self, block.kind.replace(" ", "_"))(block)

    def run(self, block):
        with self.start(block.text) as process:
            process.child.stdin.close()
            assert process.wait(DEADLINE) == 0, f"{block}\n{process.tail()}"

    def one(self, block):
        """Starts the one command of a block so that signals reach the program itself."""
        assert len(block.commands()) == 1, f"{block}: one command is expected"
        return self.start("exec " + block.text)

    def keep_switch(self, block):
        self.end_switch()
        self.switch = self.one(block)
        self.switch.wait_output(READY)

    def end_switch(self):
        for process in self.guests:
            process.end()
        self.guests = []
        if self.switch is None:
            return
        self.switch.signal(signal.SIGTERM)
        assert self.switch.wait() == 0, self.switch.tail()
        stats.tables(self.switch.stdout)[-1].check()
        self.switch.end()
        self.switch = None

    def keep_guest(self, block):
        before = self.connections()
        self.guest = self.one(block)
        self.guest.at = 0
        self.guests.append(self.guest)
        wait_for(lambda: self.connections() > before, DEADLINE,
                 lambda: f"{block}: connected\n{self.switch.tail()}\n{self.guest.tail()}")
        if "dpdk-testpmd" in block.text:
            self.prompt()

    def connections(self):
        return len(re.findall(r"device \d+ connected", self.switch.stderr))

    def prompt(self):
        self.guest.at = self.guest.wait_output(PROMPT, stream="out", since=self.guest.at, deadline=DEADLINE).end()

    def type(self, block):
        for command in block.commands():
            command = command.removeprefix("testpmd>").strip()
            self.guest.send(command + "\n")
            if command == "quit":
                assert self.guest.wait() == 0, f"{block}\n{self.guest.tail()}"
            else:
                self.prompt()

    def said(self, block):
        for line in block.text.splitlines():
            pattern = r"^" + r"\s+".join(re.sub(r"\d+", r"\\d+", re.escape(word)) for word in line.split()) + r"\s*$"
            wait_for(lambda p=pattern: re.search(p, self.switch.stdout + "\n" + self.switch.stderr, re.M), DEADLINE,
                     lambda text=line: f"{block}: said: {text}\n{self.switch.tail()}")

    def refused(self, block):
        for command, due in block.dialogue():
            with self.start(command) as process:
                status = process.wait()
                assert (status, process.stderr.splitlines()[-1:]) == (1, [due]), f"{block}\n{process.tail()}"

    def prints(self, block):
        for command, due in block.dialogue():
            with self.start(command) as process:
                assert process.wait() == 0, process.tail()
                assert guide.squeeze(process.stdout) == guide.squeeze(due), f"{block}"

    def end(self):
        for process in [*self.guests, self.switch, self.place]:
            if process:
                process.end()


@pytest.fixture
def scene(box):
    made = Scene(box)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("blocks", [scene for _, scene in SCENES], ids=[name for name, _ in SCENES])
def test_commands_work_as_they_stand(scene, blocks):
    for block in blocks:
        if block.kind == "switch":
            scene.keep_switch(block)
            scene.end_switch()
        elif block.kind not in NOT_RUN:
            scene.play(block)
    scene.end_switch()


def test_every_block_is_marked():
    bad = [f"{block}" for block in guide.blocks() if block.kind is None or (block.kind == "no") != bool(block.reason)]
    for block in guide.blocks():
        bad += [f"{block}: {name} is not there" for name in re.findall(r"tests/[\w/]+\.py", block.reason)
                if not os.path.exists(os.path.join(ROOT, name))]
    assert not bad, "blocks without a mark, or with one that hacking.rst does not list:\n" + "\n".join(bad)


UNMARKED = """
.. test: run
.. code-block:: console

   one
   two \\
      goes on   # why

Text::

   no mark

.. test: run

Something between.

.. code-block:: console

   no mark either

.. test: somehow
.. code-block:: console

   unknown mark
"""


def test_blocks_without_a_good_mark_are_noticed(box):
    path = box.path("some.rst")
    with open(path, "w", encoding="ascii") as f:
        f.write(UNMARKED)
    (blocks,) = guide.scenes(path)
    assert [block.kind for block in blocks] == ["run", None, None, None]
    assert blocks[0].commands() == ["one", "two goes on"]


def test_quoted_messages_exist():
    known = guide.messages()
    quoted = []
    for block in guide.blocks():
        if block.kind == "message":
            quoted += [(block, line) for line in block.text.splitlines()]
    assert len(quoted) > 10
    unknown = [f"{block}: {line}" for block, line in quoted
               if not any(k.fullmatch(text) for k in known for text in (line, line.removeprefix("vhost-switch: ")))]
    assert not unknown, "no source says:\n" + "\n".join(unknown)


def test_parts_of_files_are_in_them():
    """Line by line, in order; lines between may be left out."""
    for block in guide.blocks():
        if block.kind == "part of":
            with open(os.path.join(ROOT, block.mark.removeprefix(guide.PART)), encoding="utf-8") as f:
                lines = iter([line.strip() for line in f])
            for line in block.text.splitlines():
                assert line.strip() in lines, f"{block}: {line}"  # `in` goes on after the last match


def test_a_message_that_no_source_has_is_noticed():
    known = guide.messages()
    assert not any(k.fullmatch("there is no DPDK port 0; give up") for k in known)
    assert not any(k.fullmatch("too few lcores") for k in known)


def test_commands_of_readme_are_in_the_guide():
    known = {guide.squeeze(command) for block in guide.blocks() for command in block.commands()}
    wanted = guide.readme_commands()
    assert len(wanted) >= 6
    lost = [command for command in wanted if guide.squeeze(command) not in known]
    assert not lost, "in README, but not in the guide, where it would be tested:\n" + "\n".join(lost)


def test_guest_of_readme_is_one_of_its_switches():
    """Whoever starts README's switches and its guest, in this order or another, has a guest on the switch."""
    switches = [command for command in guide.readme_commands() if command.startswith("vhost-switch ")]
    served = [re.findall(r"--socket-file (\S+)", command) for command in switches]
    guests = [re.search(r"-chardev socket,id=\w+,path=([^,]+)", command)[1] for command in guide.readme_commands()
              if command.startswith("qemu-system-x86_64 ")]
    assert len(switches) > 1 and guests and served == [guests] * len(switches)


def test_tap_of_readme_answers_a_guest(box):
    """README's switch with an uplink, then its two lines for the tap: a guest in that network pings the host."""
    with open(os.path.join(ROOT, "README"), encoding="utf-8") as f:
        text = f.read()
    command = [command for command in guide.readme_commands() if "--vdev net_tap0" in command][0]
    command = re.sub(r" --socket-file \S+", "", command)  # the test's has a socket in a folder of its own
    eal, options = (words.split() for words in command.removeprefix("vhost-switch -l 0,1 ").split(" -- "))
    lines = re.search(r"^((?:ip .*\n)+)", text, re.M)[1]
    address = re.search(r"ip address add ([\d.]+)\.1/24 dev up0", lines)[1]
    with Namespace() as ns, Switch(box, options, eal=[w for w in eal if w != "--no-pci"], ns=ns) as switch:
        proc.run(["sh", "-ec", lines], ns=ns)
        with Guests(box, [switch.socket()]) as guests:
            tap = guests.guests[0].tap
            proc.run(["ip", "address", "add", f"{address}.11/24", "dev", tap], ns=guests.ns)
            proc.run(["ping", "-c", "3", "-w", "60", f"{address}.1"], ns=guests.ns)


# What comes from the source.


def test_lists_of_the_guide_are_those_of_the_source():
    status, out, err = proc.run(["scripts/doc-lists", "--check"], cwd=ROOT, check=False)
    assert status == 0, out + err


def test_every_reason_is_in_the_text_of_the_guide():
    """This does not use the script: each name that the program can print must be a term, with text below it."""
    reasons = "".join(guide.sources()[path] for path in ("frame/drops.h", "guest/fault_reason.h"))
    names = set(re.findall(r'X\(\w+, "([^"]+)"', reasons)) - {"none", "not stopped"}
    assert len(names) > 20 and {"long_frame", "bad_offload"} < names
    with open(os.path.join(guide.DOC, "running.rst"), encoding="utf-8") as f:
        described = set(re.findall(r"^``([^`]+)``\n    \w", f.read(), re.M))
    assert names <= described, names - described


# Options.


def help_options():
    """{option: its argument} of --help."""
    _, text, _ = proc.run([binary(), "--help"])
    found = {}
    for line in re.findall(r"^  (-.*)$", text, re.M):
        found.update(split_options(re.split(r"\s{2,}", line)[0]))
    assert len(found) > 15
    return found


def split_options(text):
    """Of `-h, --help` or `-p MASK`."""
    names = re.findall(r"-{1,2}[\w-]+", text)
    argument = re.sub(r"-{1,2}[\w-]+|[,;]", " ", text).split()
    return {name: " ".join(argument) for name in names}


def test_options_of_the_guide_are_those_of_help():
    with open(os.path.join(guide.DOC, "options.inc.rst"), encoding="utf-8") as f:
        terms = re.findall(r"^(``-.*``)$", f.read(), re.M)
    described = {}
    for term in terms:
        described.update(split_options(term.replace("`", "")))
    assert described == help_options()


def test_options_of_readme_are_those_of_help():
    with open(os.path.join(ROOT, "README"), encoding="utf-8") as f:
        table = re.search(r"^## Options\n+```text\n(.*?)^```", f.read(), re.M | re.S)[1]
    listed = {}
    for line in re.findall(r"^  (-.*)$", table, re.M):
        for part in re.split(r"\s{2,}", line)[0].split(";"):
            listed.update(split_options(part))
    assert listed == help_options()


def test_files_that_the_front_pages_link_exist():
    for name in ("README", "CONTRIBUTING.md", "SECURITY.md"):
        with open(os.path.join(ROOT, name), encoding="utf-8") as f:
            links = re.findall(r"\]\(([^)#]+)\)", f.read())
        lost = [link for link in links if "://" not in link and not os.path.exists(os.path.join(ROOT, link))]
        assert not lost, f"{name}: {lost}"
    assert os.path.realpath(os.path.join(ROOT, "README.md")) == os.path.join(ROOT, "README"), "for forges"


def test_figures_of_readme_are_those_of_the_guide():
    with open(os.path.join(ROOT, "README"), encoding="utf-8") as f:
        rows = re.findall(r"^\| (\w.*?) +\|((?: +[\d.]+ \|)+)$", f.read(), re.M)
    with open(os.path.join(guide.DOC, "figures.rst"), encoding="utf-8") as f:
        measured = {guide.squeeze(line) for line in f.read().splitlines()}
    assert len(rows) >= 4
    for name, numbers in rows:
        assert guide.squeeze(f"{name} {numbers.replace('|', '')}") in measured, name


def test_each_fuzz_target_is_in_the_guide():
    with open(os.path.join(guide.DOC, "hacking.rst"), encoding="utf-8") as f:
        rows = set(re.findall(r"^``(\w+)``", f.read(), re.M))
    files = os.listdir(os.path.join(ROOT, "tests", "fuzz"))
    targets = {m[1] for m in map(re.compile(r"target_(\w+)\.c").fullmatch, files) if m}
    assert targets and targets <= rows, targets - rows


def test_example_of_each_option_uses_it():
    with open(os.path.join(guide.DOC, "options.inc.rst"), encoding="utf-8") as f:
        parts = re.split(r"^``(-.*)``$", f.read(), flags=re.M)[1:]
    for term, text in zip(parts[::2], parts[1::2]):
        names = split_options(term.replace("`", ""))
        example = re.search(r"code-block:: console\n\n\s+(vhost-switch .*)", text)
        assert example and any(re.search(rf"(^| ){name}( |$)", example[1]) for name in names), term


# Building.


def test_guide_and_man_page_build_without_a_warning(box):
    """Everything is built again, as files that are up to date would not warn."""
    _, out, err = proc.run(["make", "doc", f"DOC={box.path('build/doc')}"], cwd=ROOT, env={"MAKEFLAGS": ""},
                           deadline=BUILD_DEADLINE)
    assert not re.search(r"\bwarning\b|\berror\b", out + err, re.I), out + err
    html = box.path("build/doc/html")
    check_commands_are_painted(os.path.join(html, "guests.html"), os.path.join(html, "issues.html"))
    for path in guide.files():
        name = os.path.basename(path).removesuffix(".rst")
        assert name.endswith(".inc") or os.path.exists(os.path.join(html, name + ".html")), name
    page = show_man_page(box.path("build/doc/man/vhost-switch.8"))
    for option in help_options():
        assert re.search(rf"^\s+.*{option}\b", page, re.M), option
    for title in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "FILES"):
        assert re.search(rf"^{title}$", page, re.M), title
    page = show_man_page(box.path("build/doc/man/qemu-wrap.py.1"))
    with open(os.path.join(ROOT, "qemu-wrap.py"), encoding="utf-8") as f:
        settings = re.findall(r"^([a-z_]+) = ", f.read().split("# Settings.")[1].split("import ")[0], re.M)
    assert len(settings) > 5
    for setting in settings:
        assert setting in page, setting


def check_commands_are_painted(commands, dialogue):
    """A command alone is no answer ("go", grey); in a dialogue the answers are, and the commands not."""
    with open(commands, encoding="utf-8") as f:
        text = f.read()
    blocks = re.findall(r'<div class="highlight-console[^>]*>(.*?)</div>', text, re.S)
    assert len(blocks) >= 5 and not any('class="go"' in block for block in blocks)
    with open(dialogue, encoding="utf-8") as f:
        answers = re.findall(r'<span class="go">(.*?)</span>', f.read())
    assert any(answer.startswith("vhost-switch: too few lcores") for answer in answers)
    assert not any(answer.startswith("#") or answer.startswith("vhost-switch -l") for answer in answers)


def show_man_page(path):
    """The page as it is read. groff must have nothing to complain about."""
    text = proc.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path],
                    env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""})
    assert text[2] == ""
    return re.sub(r".\x08|\x1b\[[\d;]*m", "", text[1])


def test_packages_of_the_guide_are_those_that_are_installed():
    with open(os.path.join(guide.DOC, "setup.rst"), encoding="utf-8") as f:
        named = re.search(r"^ +apt-get install (.*)$", f.read(), re.M)[1]
    with open(os.path.join(ROOT, "scripts", "install-deps"), encoding="utf-8") as f:
        needed = re.search(r"^\s*build\) echo (.*?) ;;", f.read(), re.M)[1]
    assert named.split() == needed.split()


# A frame's way through the functions.

STEP = re.compile(r"^(?P<indent> *)\* ``(?P<file>[\w/]+\.[ch]):(?P<name>\w+)``(?: \(``ops->(?P<op>\w+)``\))?", re.M)


def walk(text):
    """[(step, the step that it is indented under, or None)] of a list in the guide."""
    found, above = [], []
    for step in STEP.finditer(text):
        above = [one for one in above if len(one["indent"]) < len(step["indent"])] if step["indent"] else []
        found.append((step, above[-1] if above else None))
        above.append(step)
    return found


def function(sources, step):
    """The text from a function's name at the beginning of a line to the end of its body; None: there is none."""
    found = re.search(rf"^{step['name']}\(.*?^}}", sources.get(step["file"], ""), re.M | re.S)
    return found[0] if found else None


def untrue(sources, text):
    """The steps of a walk that the sources do not have."""
    for step, caller in walk(text):
        where = f"{step['file']}:{step['name']}"
        if function(sources, step) is None:
            yield f"{where}: there is no such function"
        elif caller is not None:
            call = rf"->{step['op']}\(" if step["op"] else rf"\b{step['name']}\("
            if not re.search(call, function(sources, caller) or ""):
                yield f"{where}: is not called by {caller['name']}()"
        if step["op"] and not re.search(rf"\.{step['op']} = {step['name']}\b", sources.get(step["file"], "")):
            yield f"{where}: is no operation {step['op']}"


def hacking():
    with open(os.path.join(guide.DOC, "hacking.rst"), encoding="utf-8") as f:
        return f.read()


def test_walk_with_a_frame_is_true():
    text = hacking().split("A walk with a frame\n")[1].split("\n----")[0]
    steps = walk(text)
    assert len(steps) > 40 and sum(caller is not None for _, caller in steps) > 35
    lost = list(untrue(guide.sources(), text))
    assert not lost, "\n".join(lost)
    named = set(re.findall(r"``([\w/]+\.[ch]:\w+)``", text))
    known = {f"{step['file']}:{step['name']}" for step, _ in steps}
    for name in named - known:  # in a sentence
        step = dict(zip(("file", "name"), name.split(":")))
        assert function(guide.sources(), step), name


def test_walk_that_is_not_true_is_noticed():
    sources = {"a.c": "int\nfirst(void)\n{\n\treturn second() + k->ops->take(k);\n}\n\nint\nthird(void)\n{\n}\n",
               "b.c": "static int\nsecond(void)\n{\n}\n\nint\nb_take(void)\n{\n}\n\nops x = {\n\t.take = b_take,\n};\n"}
    good = "* ``a.c:first``\n\n  * ``b.c:second`` is.\n  * ``b.c:b_take`` (``ops->take``) is.\n"
    assert not list(untrue(sources, good)) and [caller and caller["name"] for _, caller in walk(good)] == [
        None, "first", "first"]
    for old, new, said in (("first", "forth", "a.c:forth: there is no such function"),
                           ("b.c:second", "a.c:third", "a.c:third: is not called by first()"),
                           ("b.c:second", "a.c:second", "a.c:second: there is no such function"),
                           ("ops->take", "ops->give", "b.c:b_take: is no operation give"),
                           (" (``ops->take``)", "", "b.c:b_take: is not called by first()")):
        assert said in list(untrue(sources, good.replace(old, new))), said


# Figures.


def test_figures_have_one_style():
    folder = os.path.join(guide.DOC, "img")
    styles = set()
    chapters = ""
    for path in guide.files():
        with open(path, encoding="utf-8") as f:
            chapters += f.read()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read()
        styles.add(re.search(r"\t<style>.*</defs>\n", text, re.S)[0])
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', text).groups())
        assert width == 720, name
        for x, y in re.findall(r'<(?:text|rect)[^>]* x="(\d+)" y="(\d+)"', text):
            assert int(x) < width and int(y) < height, (name, x, y)
        assert "font-size" not in text, name
        assert f"img/{name}" in chapters, f"{name} is shown nowhere"
    assert len(styles) == 1
