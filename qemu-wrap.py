#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Runs QEMU with its vhost network devices plugged into vhost-switch.

    qemu-wrap.py [--print] QEMU's options...
    qemu-wrap.py --help

Called as QEMU would be, by hand or by libvirt (<emulator>), it

  - redirects each `-netdev tap,vhost=on`. Back end "cuse": one file descriptor of us_vhost_path is opened
    for it, and passed as vhostfd. Back end "user": it becomes a vhost-user netdev with a chardev;
  - turns offloads off on the virtio-net devices of these netdevs, and of each `-netdev vhost-user`, wherever
    on the line they are;
  - gives the guest memory that the switch can map: on hugetlbfs where there is some, else in a memfd.
    Memory backends that are on the line already are kept, and shared;
  - becomes the emulator (exec), which so has this process's id, signals, file descriptors and exit status.

A line without such netdevs, or that only asks what QEMU can do (`-version`, `-machine none`, ...), is
passed on as it is; so is each option that is not named here. Netdevs that stay outside of the switch
(tap without vhost=on, bridge, user, ...) are named on stderr.
`--print` shows the command and neither opens nor runs anything.

parse() makes options of words, rewrite() changes options, Option.emit() makes words of them again.
"""

# Settings. The environment goes before them: QEMU_WRAP_ and the name in capitals (QEMU_WRAP_EMUL_PATH).

# The emulator.
emul_path = "/usr/bin/qemu-system-x86_64"

# "cuse", "user", or "auto": the one whose switch runs, cuse if both do. If neither is seen to run: cuse if
# us_vhost_path is a character device, else user if vhost_user_path is a socket, else cuse.
back_end = "auto"

# cuse: the switch's character device, /dev/<dev-basename>.
us_vhost_path = "/dev/usvhost"

# user: the switch's socket. "{id}" is replaced by the netdev's id.
vhost_user_path = "/run/vhost-switch/usvhost"

# user: further options of the chardev: "reconnect=1", or "server=on,wait=off" for vhost-switch --client.
chardev_options = ""

# The folder of guests' memory. "": the mounted hugetlbfs with the largest pages that fit; "none": a memfd.
hugetlbfs = ""

# "1": redirect tap netdevs without vhost=on too. libvirt says vhost=on only for KVM guests.
every_tap = "0"

# What the switch must not be given by guests. "": leave offloads alone.
offloads = "csum gso guest_tso4 guest_tso6 guest_ecn"

# The settings are all that has a name so far.
SETTINGS = {name: value for name, value in globals().items() if not name.startswith("__")}

import itertools
import json
import os
import re
import shlex
import signal
import stat
import sys
from types import SimpleNamespace

MEMORY_ID = "qemu-wrap-mem"
# QEMU's memory if no -m tells, on all machines that take virtio-net-pci; and the unit that it rounds up to.
DEFAULT_MEMORY = 128 << 20
MEMORY_UNIT = 8192

# Options whose value has named fields that matter here: what the first one is called if it has no name.
FIELDS = {"-netdev": "type", "-nic": "type", "-net": "type", "-device": "driver", "-object": "qom-type",
          "-machine": "type", "-m": "size", "-numa": "type"}
# Options whose value is any text. The value of any other option begins with no hyphen, or has no
# meaning here: it then passes as an option of its own.
TEXT = {"-append", "-name", "-mem-path", "-kernel", "-initrd", "-fw_cfg", "-smbios", "-acpitable"}


class Refusal(Exception):
    """One line for the user: the thing, what is wrong with it, the remedy."""


# --- Words to options, and back

class Fields:
    """A value with named fields, `type,key=value,...` (a comma inside is doubled) or a JSON object.

    Fields that nobody set keep their very text.
    """

    def __init__(self, flag, text):
        self.original = text
        self.line = f"{flag} {text}"  # as messages name it
        self.changed = False
        self.is_json = text.startswith("{")
        if self.is_json:
            try:
                self.items = [(key, value, None) for key, value in json.loads(text).items()]
            except ValueError as problem:
                raise Refusal(f"{self.line}: not valid JSON ({problem}): correct it") from None
        else:
            self.items = []
            for raw in re.findall(r"(?:[^,]|,,)+", text):
                key, equals, value = raw.replace(",,", ",").partition("=")
                if not equals:
                    key, value = (key, "on") if self.items else (FIELDS[flag], key)
                self.items.append((key, value, raw))

    def get(self, key):
        """The field's value, None if it has none. The last one counts, as in QEMU."""
        value = next((value for name, value, _ in reversed(self.items) if name == key), None)
        return json.dumps(value) if isinstance(value, (list, dict)) else value

    def is_on(self, key):
        return self.get(key) in (True, "on", "yes", "true", "y")

    def drop(self, *keys):
        self.items = [item for item in self.items if item[0] not in keys]
        self.changed = True

    def set(self, key, value):
        """Sets a field, a new one at the end. Booleans become on and off outside JSON."""
        if not self.is_json and isinstance(value, bool):
            value = "on" if value else "off"
        raw = f"{key}={value}".replace(",", ",,")
        place = max((i for i, item in enumerate(self.items) if item[0] == key), default=None)
        if place is None:
            self.items.append((key, value, raw))
        else:
            if place == 0 and "=" not in (self.items[0][2] or "="):
                raw = raw.partition("=")[2]  # the first one's name was left out
            self.items[place] = (key, value, raw)
        self.changed = True

    def text(self):
        if not self.changed:
            return self.original
        if self.is_json:
            return json.dumps({key: value for key, value, _ in self.items}, separators=(",", ":"))
        return ",".join(raw for _, _, raw in self.items)


def flag_of(word):
    """The option that a word begins, with one hyphen and by its longer name. None: the word is a disk image."""
    flag = "-" + word.lstrip("-") if word.startswith("-") else None
    return "-machine" if flag == "-M" else flag


class Option:
    """One option: `words` as they stood, the `flag` that they begin with, and `fields` if it has some."""

    def __init__(self, *words):
        self.words = words
        self.flag = flag_of(words[0])
        self.value = words[1] if len(words) > 1 else None
        self.fields = Fields(self.flag, self.value) if self.value is not None and self.flag in FIELDS else None

    def emit(self):
        return [self.words[0], self.fields.text()] if self.fields else list(self.words)


def parse(words):
    """The options of a command line. The last one may lack its value."""
    rest = iter(words)
    return [Option(word, *itertools.islice(rest, flag_of(word) in FIELDS.keys() | TEXT)) for word in rest]


# --- What is on the line

def is_probe(options):
    """Returns true if QEMU is only asked what it can do, or is started with no machine for such questions."""
    return any(option.flag in ("-h", "-help", "-version") or option.flag not in TEXT and
               re.search(r"(^|,)(help|\?)$", option.words[-1]) for option in options) or \
        any(fields.get("type") == "none" for fields in with_flag(options, "-machine"))


def has_vhost(fields):
    """Returns true if vhost is to serve a tap: QEMU's own rule."""
    if fields.get("vhost") is not None:
        return fields.is_on("vhost")
    return fields.is_on("vhostforce") or fields.get("vhostfd") is not None or fields.get("vhostfds") is not None


def with_flag(options, *flags):
    """Fields of the options that have some of these flags."""
    return [option.fields for option in options if option.flag in flags and option.fields]


def find_netdevs(options, settings):
    """The netdevs that are the switch's."""
    for fields in with_flag(options, "-nic", "-net"):
        if fields.get("type") == "tap" and has_vhost(fields):
            raise Refusal(f"{fields.line}: it can't be redirected: write it as -netdev and -device")
    return [fields for fields in with_flag(options, "-netdev")
            if fields.get("type") == "vhost-user" or
            fields.get("type") == "tap" and (has_vhost(fields) or settings.every_tap == "1")]


def parse_size(text, unit):
    """The bytes of a size that is written as QEMU takes it. `unit` is that of a number without a suffix."""
    match = re.fullmatch(r"\s*(0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?|\.\d+)([bBkKmMgGtTpPeE]?)", str(text))
    if not match:
        raise Refusal(f"memory size {text}: not understood: write it as 4096, 4G or 4096M")
    number, suffix = match.groups()
    scale = 1 << 10 * "BKMGTPE".index(suffix.upper()) if suffix else unit
    return int(number, 16) * scale if number[:2] in ("0x", "0X") else int(float(number) * scale)


def memory_size(options):
    """The guest's memory in bytes, of all -m and -machine options together."""
    given = [(fields.get("size"), 1 << 20) for fields in with_flag(options, "-m")]
    given += [(fields.get("memory.size"), 1) for fields in with_flag(options, "-machine")]
    sizes = [parse_size(text, unit) for text, unit in given if text is not None]
    size = sizes[-1] if sizes else 0
    return -(-(size or DEFAULT_MEMORY) // MEMORY_UNIT) * MEMORY_UNIT


# --- The machine

def mounted_hugetlbfs():
    """(page size, folder) of each hugetlbfs that this user may write to, largest pages first."""
    with open("/proc/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        paths = [path for _, path, kind, *_ in map(str.split, mounts) if kind == "hugetlbfs"]
    # Some characters are octal there.
    folders = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path) for path in paths]
    return sorted(((os.statvfs(folder).f_bsize, folder) for folder in folders if os.access(folder, os.W_OK)),
                  key=lambda pair: -pair[0])


def hugepages(size, what):
    """A counter of the kernel's pool of pages of this size."""
    try:
        with open(f"/sys/kernel/mm/hugepages/hugepages-{size >> 10}kB/{what}", encoding="ascii") as f:
            return int(f.read())
    except OSError:
        return 0


def find_folder(settings, size):
    """The folder for this much memory, None for a memfd. A mounted hugetlbfs may well have no pages at all."""
    if settings.hugetlbfs == "none":
        return None
    if settings.hugetlbfs:
        if not os.path.isdir(settings.hugetlbfs):
            raise Refusal(f"hugetlbfs {settings.hugetlbfs}: no such folder: mount it there, or set hugetlbfs to none")
        return settings.hugetlbfs
    usable = [(page, folder) for page, folder in mounted_hugetlbfs() if size % page == 0 and
              hugepages(page, "nr_hugepages") + hugepages(page, "nr_overcommit_hugepages")]
    enough = [folder for page, folder in usable if hugepages(page, "free_hugepages") * page >= size]
    if enough or not usable:
        return enough[0] if enough else None
    page, folder = usable[0]
    warn(f"{folder}: {hugepages(page, 'free_hugepages')} of {size // page} hugepages of {page >> 10} kB are free: "
         f"reserve more, or set hugetlbfs to none")
    return folder


def status(path):
    """What stat() tells of a file; zeroes if there is no such file."""
    try:
        return os.stat(path)
    except OSError:
        return SimpleNamespace(st_mode=0, st_rdev=0)


def node_runs(path):
    """Returns true if the kernel has a device for this node. (To open it would make a guest.)"""
    found = status(path)
    number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return stat.S_ISCHR(found.st_mode) and os.path.exists(f"/sys/dev/char/{number}")


def socket_runs(path):
    """Returns true if the kernel shows somebody who listens there. (To connect would make a guest.)"""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as f:
            fields = [line.rstrip("\n").split(maxsplit=7) for line in f]
    except OSError:
        return False
    accepting = 0x10000  # __SO_ACCEPTCON
    return any(len(f) == 8 and f[7] == path and int(f[3], 16) & accepting for f in fields[1:])


def socket_path(settings, fields):
    """Where the switch serves this netdev."""
    return settings.vhost_user_path.replace("{id}", str(fields.get("id")))


def choose_back_end(settings, path):
    """The back end for all netdevs; `path` is the socket of one of them."""
    if settings.back_end != "auto":
        return settings.back_end
    is_node = stat.S_ISCHR(status(settings.us_vhost_path).st_mode)
    if node_runs(settings.us_vhost_path) or is_node and not socket_runs(path):
        return "cuse"
    return "user" if stat.S_ISSOCK(status(path).st_mode) else "cuse"


# --- The changes

def rewrite(options, settings):
    """The options with the switch's netdevs redirected; file descriptors are opened on the way."""
    if is_probe(options):
        return options
    netdevs = find_netdevs(options, settings)
    warn_of_others(options, netdevs)
    if not netdevs:
        return options
    kind = choose_back_end(settings, socket_path(settings, netdevs[0]))
    taps = [fields for fields in netdevs if fields.get("type") == "tap"]
    ids = {fields.get("id") for fields in netdevs}
    for fields in taps:
        if fields.get("id") is None:
            raise Refusal(f"{fields.line}: it has no id: add one")
        if kind == "user":
            to_vhost_user(options, fields, settings)
        else:
            give_fd(fields, settings)
    for fields in with_flag(options, "-device"):
        if str(fields.get("driver")).startswith("virtio-net") and fields.get("netdev") in ids:
            for name in settings.offloads.split():
                fields.set(name, False)
    return with_memory(options, settings, classic=bool(taps) and kind == "cuse")


def warn_of_others(options, netdevs):
    """Names the netdevs that are not redirected: they work, so nobody would notice that they bypass the switch."""
    for fields in with_flag(options, "-netdev", "-nic", "-net"):
        kind = fields.get("type")
        if kind in (None, "nic", "none", "hubport") or fields in netdevs:
            continue
        remedy = "add vhost=on, or set every_tap to 1" if kind == "tap" and fields.line.startswith("-netdev ") else \
            "for the switch it is -netdev tap,id=...,vhost=on"
        warn(f"{fields.line}: not on the switch: {remedy}")


def queue_pairs(fields):
    """The number of queue pairs that a tap netdev asks for."""
    if fields.get("fds") is not None:
        return str(fields.get("fds")).count(":") + 1
    count = str(fields.get("queues"))
    return int(count) if count.isdigit() else 1


def is_open_node(fd, path):
    """Returns true for the number of a file descriptor of this very node, and not one of the kernel's vhost-net."""
    try:
        return os.path.samestat(os.fstat(int(fd)), os.stat(path))
    except (TypeError, ValueError, OSError):
        return False


def give_fd(fields, settings):
    """cuse: the tap gets an open file descriptor of the switch's device, unless it has one."""
    if queue_pairs(fields) > 1:
        raise Refusal(f"{fields.line}: several queue pairs: cuse carries one: take one, or the vhost-user back end")
    if is_open_node(fields.get("vhostfd"), settings.us_vhost_path):
        return
    try:
        # Each open makes a device in the switch, so --print opens another file.
        fd = os.open(os.devnull if settings.show else settings.us_vhost_path, os.O_RDWR)
    except OSError as problem:
        raise Refusal(f"us_vhost_path {settings.us_vhost_path}: {problem.strerror}: start vhost-switch (made with "
                      f"VHOST=cuse) first; or set vhost_user_path, now {settings.vhost_user_path}") from None
    os.set_inheritable(fd, True)
    fields.drop("vhostfd", "vhostfds")
    fields.set("vhost", True)
    fields.set("vhostfd", str(fd))


def to_vhost_user(options, fields, settings):
    """vhost-user: the tap becomes a vhost-user netdev, with a chardev before it."""
    path = socket_path(settings, fields)
    # The emulator would take more words to say it.
    if not settings.show and not stat.S_ISSOCK(status(path).st_mode) and "server" not in settings.chardev_options:
        raise Refusal(f"vhost_user_path {path}: no such socket: start vhost-switch first, or set vhost_user_path")
    chardev = f"qemu-wrap-{fields.get('id')}"
    words = [f"socket,id={chardev}", "path=" + path.replace(",", ",,"), settings.chardev_options]
    place = [option.fields for option in options].index(fields)
    options.insert(place, Option("-chardev", ",".join(filter(None, words))))
    count = queue_pairs(fields)
    fields.drop(*(key for key, _, _ in fields.items if key not in ("type", "id")))
    fields.set("type", "vhost-user")
    fields.set("chardev", chardev)
    if count > 1:
        fields.set("queues", count)


def with_memory(options, settings, classic):
    """Memory that another process can map: what is named on the line is shared, else some is added.

    `classic`: with the options of the cuse back end, -mem-path and -mem-prealloc.
    """
    base = ({fields.get("memory-backend") for fields in with_flag(options, "-machine")} |
            {fields.get("memdev") for fields in with_flag(options, "-numa")}) - {None}
    # An nvdimm is not among them: if it were shared, the guest would write to its file.
    plugged = {fields.get("memdev") for fields in with_flag(options, "-device")
               if re.match(r"pc-dimm$|virtio-mem", str(fields.get("driver")))}
    for fields in with_flag(options, "-object"):
        kind = fields.get("qom-type")
        if fields.get("id") not in base | plugged:
            continue
        if kind == "memory-backend-ram":
            put_memory(fields, find_folder(settings, parse_size(fields.get("size") or 0, 1)))
        elif str(kind).startswith("memory-backend") and not fields.is_on("share"):
            fields.set("share", True)
    return options if base else options + new_memory(options, settings, classic)


def put_memory(fields, folder, prealloc=True):
    """Makes a memory backend a shared one, of files in the folder or, without one, of a memfd."""
    fields.set("qom-type", "memory-backend-file" if folder else "memory-backend-memfd")
    if folder:
        fields.set("mem-path", folder)
    fields.set("share", True)
    if folder and prealloc:
        fields.set("prealloc", True)


def new_memory(options, settings, classic):
    """Options that make one shared backend the guest's memory.

    -mem-path alone has meant private memory since QEMU 2.2. It is given for programs that look for it on the line.
    QEMU refuses it together with `-machine memory-backend=`, and ignores it when a NUMA node has memory.
    """
    given = next((option.value for option in options if option.flag == "-mem-path"), None)
    size = memory_size(options)
    folder = given or find_folder(settings, size)
    has_path = bool(given or classic and folder)
    if has_path and with_flag(options, "-numa"):
        raise Refusal("-numa: its nodes name no memory: give each a shared memory backend (memdev=)")
    prealloc = folder and not any(option.flag == "-mem-prealloc" for option in options)
    added = [Option("-mem-path", folder)] if has_path and not given else []
    added += [Option("-mem-prealloc")] if classic and prealloc else []
    text = f"{size >> 20}M" if size % (1 << 20) == 0 else size
    backend = Option("-object", f"memory-backend-ram,id={MEMORY_ID},size={text}")
    put_memory(backend.fields, folder, prealloc and not classic)
    attach = ("-numa", f"node,memdev={MEMORY_ID}") if has_path else ("-machine", f"memory-backend={MEMORY_ID}")
    return added + [backend, Option(*attach)]


# --- The run

def warn(text):
    print("qemu-wrap:", str(text).replace("\n", "\\n"), file=sys.stderr)


def read_settings(environment):
    settings = SimpleNamespace(show=False, **{name: environment.get(f"QEMU_WRAP_{name.upper()}", value)
                                              for name, value in SETTINGS.items()})
    for name, allowed in (("back_end", ("auto", "cuse", "user")), ("every_tap", ("0", "1"))):
        if getattr(settings, name) not in allowed:
            raise Refusal(f"{name} {getattr(settings, name)}: unknown: use one of {', '.join(allowed)}")
    return settings


def become(command):
    """Runs the emulator in this process, with the signals as they were before Python changed them."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        if os.path.exists(command[0]) and os.path.samefile(command[0], __file__):
            raise Refusal(f"emul_path {command[0]}: this is qemu-wrap.py itself: set it to the emulator")
        os.execvp(command[0], command)
    except OSError as problem:
        raise Refusal(f"emul_path {command[0]}: {problem.strerror}: set it to the emulator") from None


def show_help():
    print(__doc__.partition("\nparse() makes")[0])
    print("Settings, each at the top of the script, or in the environment as QEMU_WRAP_ and its name in capitals:\n")
    for name, value in SETTINGS.items():
        print(f"    {name:<17}{value or '(empty)'}")
    print("\nThe emulator's own help: qemu-wrap.py -help")


def main(words, environment):
    if words == ["--help"]:
        show_help()
        return
    settings = read_settings(environment)
    options = parse(words)
    given = [option for option in options if option.words != ("--print",)]
    settings.show = len(given) < len(options)
    command = [settings.emul_path] + [word for option in rewrite(given, settings) for word in option.emit()]
    if settings.show:
        sys.stdout.reconfigure(errors="surrogateescape")
        print(shlex.join(command))
    else:
        become(command)


if __name__ == "__main__":
    try:
        main(sys.argv[1:], os.environ)
    except Refusal as refusal:
        warn(refusal)
        sys.exit(1)
