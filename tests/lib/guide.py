# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The guide's blocks of code, as doc/hacking.rst ("The guide") describes their marks; and what the sources can say.

Reads files alone; starts nothing, except that fit() may ask QEMU for its version.
"""

import glob
import os
import re

from lib.qemu_words import reconnect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOC = os.path.join(ROOT, "doc")
PART = "part of "
KINDS = ("run", "switch", "keep switch", "keep guest", "type", "said", "prints", "refused", "message", "vm",
         "vm switch", "no")
MARK = re.compile(r"\s*\.\. test: (?P<mark>.+)$")
BLOCK = re.compile(r"\s*\.\. (?:code-block|code|sourcecode|parsed-literal|literalinclude)::\s*(?P<language>\S*)")


class Block:
    """One block. `kind` is None where it has no mark."""

    def __init__(self, path, line, language, mark, text):
        self.where = f"{os.path.relpath(path, ROOT)}:{line}"
        self.language = language
        self.text = text
        kind, _, self.reason = (mark or "").partition(", ")
        self.kind = kind if kind in KINDS else PART.strip() if kind.startswith(PART) else None
        self.mark = mark

    def commands(self):
        """Its commands, each on one line, without comments."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [re.sub(r"\s+#\s.*$", "", line).strip() for line in joined.splitlines() if line.strip()]

    def dialogue(self):
        """[(command after "# ", its output)], each in one line."""
        lines = re.sub(r"\\\n\s*", " ", self.text).splitlines()
        at = [i for i, line in enumerate(lines) if line.startswith("# ")]
        assert at and at[0] == 0, f"{self}: begins with no command"
        return [(lines[i][2:], "\n".join(lines[i + 1:end])) for i, end in zip(at, at[1:] + [len(lines)])]

    def __repr__(self):
        return f"{self.where} ({self.mark})"


def files():
    return sorted(glob.glob(os.path.join(DOC, "*.rst")))


def _indent(line):
    return len(line) - len(line.lstrip())


def _body(lines, i, indent):
    """The lines of a block that begins after line i: (first line's number, text without its indent)."""
    body, first = [], None
    while i < len(lines) and (not lines[i].strip() or _indent(lines[i]) > indent):
        if first is None and re.match(r"\s*:\w+:", lines[i]):
            i += 1
            continue  # an option of the directive
        if first is None and lines[i].strip():
            first = i
        if first is not None:
            body.append(lines[i])
        i += 1
    cut = min((_indent(line) for line in body if line.strip()), default=0)
    return i, "\n".join(line[cut:] for line in body).rstrip() + "\n"


def scenes(path):
    """[[Block, ...], ...] of a file. A literal block that no directive introduces counts as one without a mark."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    found, mark, i = [[]], None, 0
    while i < len(lines):
        line, number = lines[i], i + 1
        i += 1
        if marked := MARK.match(line):
            if marked["mark"] == "scene":
                found.append([])
            else:
                mark = marked["mark"]
                while i < len(lines) and lines[i].strip() and _indent(lines[i]) > _indent(line):
                    mark += " " + lines[i].strip()  # it goes on
                    i += 1
            continue
        block = BLOCK.match(line)
        literal = line.rstrip().endswith("::") and not line.lstrip().startswith("..")
        if block or literal:
            i, text = _body(lines, i, _indent(line))
            found[-1].append(Block(path, number, block["language"] if block else "", mark, text))
        if line.strip():
            mark = None
    return [scene for scene in found if scene]


def blocks():
    return [block for path in files() for scene in scenes(path) for block in scene]


def readme_commands():
    """The commands of README's blocks that are marked ``sh``, as the guide writes them."""
    with open(os.path.join(ROOT, "README"), encoding="utf-8") as f:
        found_blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S)
    found = []
    for text in found_blocks:
        text = re.sub(r"\\\n\s*", "", text).replace("build/vhost-switch", "vhost-switch")
        commands = (re.sub(r"\s*#.*$", "", line).strip() for line in text.splitlines())
        found += [command for command in commands if command]
    return found


def squeeze(command):
    return " ".join(command.split())


def fit(text):
    """A command of the guide, adapted to this machine: its CPUs, no KVM, none of its NICs."""
    count = os.cpu_count()

    def cpus(match):
        wanted = [int(n) for n in match[1].split(",")]
        if max(wanted) < count:
            return match[0]
        return " --lcores " + ",".join(f"{n}@{n if n < count else 0}" for n in wanted)
    text = re.sub(r" -l ([\d,]+)", cpus, text)
    if "--no-pci" not in text:
        text = re.sub(r"\b(vhost-switch|dpdk-testpmd) (?=-l|--lcores)", r"\1 --no-pci ", text)
    if "reconnect=1" in text:
        text = text.replace("reconnect=1", reconnect())
    return text.replace("-accel kvm -cpu host", "-accel tcg -cpu max")


# What the switch can say.

LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*f?"(?:[^"\\\n]|\\.)*")*')
SPECIFIER = re.compile(r"%[-0-9.#]*(?:h|l|z)*(?P<type>[a-z])|%%|\{[^{}]*\}")


def _strings(text):
    """The macros of a source that are strings."""
    return re.findall(r'^#define (\w+) ("(?:[^"\\\n]|\\.)*")$', text, re.M)


def _formats(text, shared=()):
    """All string literals of a source, adjacent ones joined, macros that are strings put in."""
    for name, value in [*_strings(text), *shared]:
        text = re.sub(rf"(?<!define )\b{name}\b", lambda _, v=value: v, text)
    for literal in LITERALS.finditer(text):
        yield "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', literal[0])).replace('\\"', '"').removesuffix(r"\n")


def _pattern(text):
    """A format as a regular expression; None if hardly a word of it is fixed."""
    if len(re.sub(r"[^A-Za-z]", "", SPECIFIER.sub("", text))) < 12:
        return None
    result, at = "", 0
    for found in SPECIFIER.finditer(text):
        number = found["type"] in ("u", "d", "x") if found["type"] else False
        result += re.escape(text[at:found.start()]) + (r"[0-9a-f]+" if number else ".+")
        at = found.end()
    return result + re.escape(text[at:])


def sources():
    """{path: text} of what the project's programs and tests are made of."""
    found = {}
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if not name.startswith((".", "build", "__"))]
        for name in names:
            if name.endswith((".c", ".h", ".py")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    found[os.path.relpath(path, ROOT)] = f.read()
    return found


def messages():
    """Regular expressions, one for each message of the programs."""
    found = set()
    shared = _strings(sources()["base/mac.h"])
    for path, text in sources().items():
        if not path.startswith(("tests/", "bench/", "contrib/", "doc/")):
            found.update(_formats(text, shared))
    # refuse() in conf_parse.c prepends the option; complain() in session.c the process, and appends the error.
    around = r"(?:-{1,2}[\w-]+(?: \S+)?: |cuse: process \d+: )?%s(?:: [A-Z][a-z ]+)?"
    return [re.compile(around % p) for p in map(_pattern, sorted(found)) if p]
