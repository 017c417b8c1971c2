#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Runs QEMU with its vhost network devices plugged into vhost-switch.

    qemu-wrap.py [--print] QEMU's options...
    qemu-wrap.py --help

Called as QEMU would be, by hand or by libvirt (<emulator>), it

  - redirects each `-netdev tap,vhost=on`. Back end "cuse": one descriptor of us_vhost_path is opened
    for it, and passed as vhostfd. Back end "user": it becomes a vhost-user netdev with a chardev;
  - turns offloads off on the virtio-net devices of these netdevs, wherever they stand;
  - gives the guest memory that the switch can map: on hugetlbfs where there is some, else in a memfd.
    Memory backends that are on the line already are kept, and shared;
  - becomes the emulator (exec), which so has this process's id, signals, descriptors and exit status.

A line without such netdevs, or that only asks what QEMU can do (`-version`, `-machine none`, ...), is
passed on as it is; so is each option that is not named here. Netdevs that stay outside of the switch
(tap without vhost=on, bridge, user, ...) are named on stderr.
`--print` shows the command and neither opens nor runs anything.

parse() makes options of words, rewrite() changes options, emit() makes words of them again.
"""

# Settings. The environment goes before them: QEMU_WRAP_ and the name in capitals (QEMU_WRAP_EMUL_PATH).

# The emulator.
emul_path = "/usr/bin/qemu-system-x86_64"

# "cuse", "user", or "auto": the one whose switch runs, cuse if both do. If neither is seen to run: cuse if
# us_vhost_path is a character device, else user if vhost_user_path is a socket, else cuse.
back_end = "auto"

# cuse: the switch's character device, /dev/<dev-basename>.
us_vhost_path = "/dev/usvhost"

# user: the switch's socket. "{id}" stands for the netdev's id.
vhost_user_path = "/run/vhost-switch/usvhost"

# user: further options of the chardev: "reconnect=1", or "server=on,wait=off" for vhost-switch --client.
chardev_options = ""

# The folder of guests' memory. "": the mounted hugetlbfs with the largest pages that fit; "none": a memfd.
hugetlbfs = ""

# "1": redirect tap netdevs without vhost=on too. libvirt says vhost=on only for KVM guests.
every_tap = "0"

# What the switch must not be given by guests. "": leave offloads alone.
offloads = "csum gso guest_tso4 guest_tso6 guest_ecn"

import json
import os
import re
import shlex
import signal
import stat
import sys
from types import SimpleNamespace

SETTINGS = {name: globals()[name] for name in ("emul_path", "back_end", "us_vhost_path", "vhost_user_path",
                                               "chardev_options", "hugetlbfs", "every_tap", "offloads")}
MEMORY_ID = "qemu-wrap-mem"
# QEMU's memory if no -m tells, on all machines that take virtio-net-pci; and the unit that it rounds up to.
DEFAULT_MEMORY = 128 << 20
MEMORY_UNIT = 8192

# Options whose value has named fields that matter here: what the first one is called if it has no name.
FIELDS = {"-netdev": "type", "-nic": "type", "-net": "type", "-device": "driver", "-object": "qom-type",
          "-machine": "type", "-M": "type", "-m": "size", "-numa": "type"}
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
        self.changed = False
        self.is_json = text.startswith("{")
        if self.is_json:
            try:
                self.items = [(key, value, None) for key, value in json.loads(text).items()]
            except ValueError as problem:
                raise Refusal(f"{flag} {text}: not valid JSON ({problem}): correct it") from None
        else:
            raw_items = re.findall(r"(?:[^,]|,,)+", text)
            self.items = [self._parsed(raw, FIELDS[flag] if i == 0 else None) for i, raw in enumerate(raw_items)]

    @staticmethod
    def _parsed(raw, implied):
        key, equals, value = raw.replace(",,", ",").partition("=")
        if equals:
            return key, value, raw
        return (implied, key, raw) if implied else (key, "on", raw)

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


class Option:
    """One option: `words` as they stood; `flag` with one hyphen (None: a disk image); `fields` if it has some."""

    def __init__(self, *words):
        self.words = words
        self.flag = "-" + words[0].lstrip("-") if words[0].startswith("-") else None
        self.value = words[1] if len(words) > 1 else None
        has_fields = self.flag in FIELDS and self.value is not None
        self.fields = Fields(self.flag, self.value) if has_fields else None

    def emit(self):
        return [self.words[0], self.fields.text()] if self.fields else list(self.words)


def parse(words):
    """The options of a command line."""
    options = []
    words = list(words)
    while words:
        count = 2 if "-" + words[0].lstrip("-") in FIELDS.keys() | TEXT and words[0].startswith("-") else 1
        options.append(Option(*words[:count]))
        del words[:count]
    return options


def emit(options):
    return [word for option in options for word in option.emit()]


# --- What is on the line

def is_probe(options):
    """Whether QEMU is only asked what it can do, or is started with no machine for such questions."""
    return any(option.flag in ("-h", "-help", "-version") or
               option.flag not in TEXT and re.search(r"(^|,)(help|\?)$", option.words[-1])
               for option in options) or \
        any(fields.get("type") == "none" for fields in with_flag(options, "-machine", "-M"))


def has_vhost(fields):
    """Whether a tap is to be served by vhost: QEMU's own rule."""
    if fields.get("vhost") is not None:
        return fields.is_on("vhost")
    return fields.is_on("vhostforce") or fields.get("vhostfd") is not None or fields.get("vhostfds") is not None


def with_flag(options, *flags):
    """Fields of the options that have some of these flags."""
    return [option.fields for option in options if option.flag in flags and option.fields]


def find_netdevs(options, settings):
    """The netdevs that are the switch's."""
    for flag in ("-nic", "-net"):
        for fields in with_flag(options, flag):
            if fields.get("type") == "tap" and has_vhost(fields):
                raise Refusal(f"{flag} {fields.original}: {flag} can't be redirected: write it as -netdev and -device")
    return [fields for fields in with_flag(options, "-netdev")
            if fields.get("type") == "vhost-user" or
            fields.get("type") == "tap" and (has_vhost(fields) or settings.every_tap)]


def parse_size(text, unit):
    """Bytes, of a size as QEMU takes it; `unit`: of a number without suffix."""
    match = re.fullmatch(r"\s*(0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?|\.\d+)([bBkKmMgGtTpPeE]?)", str(text))
    if not match:
        raise Refusal(f"memory size {text}: not understood: write it as 4096, 4G or 4096M")
    number, suffix = match.groups()
    scale = 1 << 10 * "BKMGTPE".index(suffix.upper()) if suffix else unit
    return int(number, 16) * scale if number[:2] in ("0x", "0X") else int(float(number) * scale)


def memory_size(options):
    """The guest's memory in bytes, of all -m and -machine options together."""
    sizes = [parse_size(fields.get("size"), 1 << 20)
             for fields in with_flag(options, "-m") if fields.get("size") is not None]
    sizes += [parse_size(fields.get("memory.size"), 1)
              for fields in with_flag(options, "-machine", "-M") if fields.get("memory.size") is not None]
    size = sizes[-1] if sizes else 0
    return -(-(size or DEFAULT_MEMORY) // MEMORY_UNIT) * MEMORY_UNIT


def base_memory(options):
    """Ids of the backends that are the guest's memory already."""
    return ({fields.get("memory-backend") for fields in with_flag(options, "-machine", "-M")} |
            {fields.get("memdev") for fields in with_flag(options, "-numa")}) - {None}


def more_memory(options):
    """Ids of the backends that are plugged in beside it. (Not an nvdimm: sharing writes to its file.)"""
    return {fields.get("memdev") for fields in with_flag(options, "-device")
            if re.match(r"pc-dimm$|virtio-mem", str(fields.get("driver")))}


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


def file_type(path):
    """As in stat.S_IFMT, 0 if there is no such file."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except OSError:
        return 0


def node_runs(path):
    """Whether the kernel has a device behind this node. (To open it would make a guest.)"""
    try:
        found = os.stat(path)
    except OSError:
        return False
    number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return stat.S_ISCHR(found.st_mode) and os.path.exists(f"/sys/dev/char/{number}")


def socket_runs(path):
    """Whether somebody listens there, as far as the kernel shows it. (To connect would make a guest.)"""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as f:
            fields = [line.rstrip("\n").split(maxsplit=7) for line in f]
    except OSError:
        return False
    accepting = 0x10000  # __SO_ACCEPTCON
    return any(len(f) == 8 and f[7] == path and int(f[3], 16) & accepting for f in fields[1:])


def choose_back_end(settings, name):
    """`name`: the id of a netdev that is to be redirected."""
    path = settings.vhost_user_path.replace("{id}", str(name))
    if settings.back_end != "auto":
        return settings.back_end
    listens = socket_runs(path)
    if node_runs(settings.us_vhost_path) != listens:
        return "user" if listens else "cuse"
    if file_type(settings.us_vhost_path) == stat.S_IFCHR:
        return "cuse"
    return "user" if file_type(path) == stat.S_IFSOCK else "cuse"


# --- The changes

def rewrite(options, settings):
    """The options with the switch's netdevs redirected; descriptors are opened on the way."""
    if is_probe(options):
        return options
    netdevs = find_netdevs(options, settings)
    warn_of_others(options, netdevs)
    if not netdevs:
        return options
    kind = choose_back_end(settings, netdevs[0].get("id"))
    taps = [fields for fields in netdevs if fields.get("type") == "tap"]
    ids = {fields.get("id") for fields in netdevs}
    for fields in taps:
        if fields.get("id") is None:
            raise Refusal(f"-netdev {fields.original}: it has no id: add one")
    if kind == "user":
        options = to_vhost_user(options, taps, settings)
    else:
        for fields in taps:
            give_descriptor(fields, settings)
    for fields in with_flag(options, "-device"):
        if str(fields.get("driver")).startswith("virtio-net") and fields.get("netdev") in ids:
            turn_offloads_off(fields, settings)
    return with_memory(options, settings, classic=bool(taps) and kind == "cuse")


def warn_of_others(options, netdevs):
    """What is not redirected works, too, and so nobody would notice that it goes past the switch."""
    for option in options:
        kind = option.fields.get("type") if option.flag in ("-netdev", "-nic", "-net") and option.fields else None
        if kind in (None, "nic", "none", "hubport") or option.fields in netdevs:
            continue
        remedy = "add vhost=on, or set every_tap to 1" if kind == "tap" and option.flag == "-netdev" else \
            "for the switch it is -netdev tap,id=...,vhost=on"
        warn(f"{' '.join(option.words)}: not on the switch: {remedy}")


def queue_pairs(fields):
    """How many queue pairs a tap netdev asks for."""
    if fields.get("fds") is not None:
        return str(fields.get("fds")).count(":") + 1
    count = str(fields.get("queues"))
    return int(count) if count.isdigit() else 1


def give_descriptor(fields, settings):
    """cuse: an open descriptor of the switch's device; one that is there already is kept."""
    if queue_pairs(fields) > 1:
        raise Refusal(f"-netdev {fields.original}: several queue pairs: cuse carries one: "
                      "take one, or the vhost-user back end")
    if fields.get("vhostfd") is None or not is_open_node(fields.get("vhostfd"), settings.us_vhost_path):
        fields.drop("vhostfd", "vhostfds")
        fields.set("vhost", True)
        fields.set("vhostfd", str(open_node(settings)))


def is_open_node(descriptor, path):
    """Whether that is the number of a descriptor of this very node, and not one of the kernel's vhost-net."""
    try:
        return os.path.samestat(os.fstat(int(descriptor)), os.stat(path))
    except (ValueError, OSError):
        return False


def open_node(settings):
    """A descriptor for the emulator. Each open makes a device in the switch, so --print opens another file."""
    try:
        descriptor = os.open(os.devnull if settings.show else settings.us_vhost_path, os.O_RDWR)
    except OSError as problem:
        raise Refusal(f"us_vhost_path {settings.us_vhost_path}: {problem.strerror}: start vhost-switch (made with "
                      f"VHOST=cuse) first; or set vhost_user_path, now {settings.vhost_user_path}") from None
    os.set_inheritable(descriptor, True)
    return descriptor


def to_vhost_user(options, taps, settings):
    """vhost-user: each tap becomes a vhost-user netdev, with a chardev before it."""
    changed = []
    for option in options:
        if option.fields in taps:
            name = str(option.fields.get("id"))
            path = settings.vhost_user_path.replace("{id}", name)
            # The emulator would say it in more words.
            if not settings.show and file_type(path) != stat.S_IFSOCK and "server" not in settings.chardev_options:
                raise Refusal(f"vhost_user_path {path}: no such socket: start vhost-switch first, "
                              "or set vhost_user_path")
            changed.append(Option("-chardev", ",".join(
                [f"socket,id=qemu-wrap-{name}", "path=" + path.replace(",", ",,")] +
                [settings.chardev_options] * bool(settings.chardev_options))))
            to_vhost_user_netdev(option.fields)
        changed.append(option)
    return changed


def to_vhost_user_netdev(fields):
    count = queue_pairs(fields)
    name = fields.get("id")
    fields.drop(*(key for key, _, _ in fields.items if key not in ("type", "id")))
    fields.set("type", "vhost-user")
    fields.set("chardev", f"qemu-wrap-{name}")
    if count > 1:
        fields.set("queues", count)


def turn_offloads_off(fields, settings):
    for name in settings.offloads.split():
        if fields.get(name) not in (False, "off"):
            fields.drop(name)
            fields.set(name, False)


def with_memory(options, settings, classic):
    """Memory that another process can map: what is named on the line is shared, else some is added.

    `classic`: with the options of the cuse back end, -mem-path and -mem-prealloc.
    """
    base = base_memory(options)
    shared = base | more_memory(options)
    for fields in with_flag(options, "-object"):
        if fields.get("id") in shared:
            share(fields, settings)
    return options if base else options + new_memory(options, settings, classic)


def share(fields, settings):
    """Makes a memory backend one that can be shared."""
    kind = fields.get("qom-type")
    if kind == "memory-backend-ram":
        folder = find_folder(settings, parse_size(fields.get("size") or 0, 1))
        fields.set("qom-type", "memory-backend-file" if folder else "memory-backend-memfd")
        if folder:
            fields.set("mem-path", folder)
            fields.set("prealloc", True)
    if str(kind).startswith("memory-backend") and not fields.is_on("share"):
        fields.set("share", True)


def new_memory(options, settings, classic):
    """Options that make one shared backend the guest's memory.

    -mem-path alone would be private memory since QEMU 2.2: it stands there for those who look for it.
    QEMU refuses it together with `-machine memory-backend=`, and passes over it when a NUMA node has memory.
    """
    given = next((option.value for option in options if option.flag == "-mem-path"), None)
    size = memory_size(options)
    folder = given or find_folder(settings, size)
    backend = [f"memory-backend-{'file' if folder else 'memfd'}", f"id={MEMORY_ID}",
               f"size={size >> 20}M" if size % (1 << 20) == 0 else f"size={size}"]
    if folder:
        backend.append("mem-path=" + folder.replace(",", ",,"))
    backend.append("share=on")
    added = [Option("-mem-path", folder)] if classic and folder and not given else []
    has_path = bool(given or added)
    if folder and not any(option.flag == "-mem-prealloc" for option in options):
        added += [Option("-mem-prealloc")] if classic else []
        backend += [] if classic else ["prealloc=on"]
    if has_path and with_flag(options, "-numa"):
        raise Refusal("-numa: its nodes name no memory: give each a shared memory backend (memdev=)")
    attach = ("-numa", f"node,memdev={MEMORY_ID}") if has_path else ("-machine", f"memory-backend={MEMORY_ID}")
    return added + [Option("-object", ",".join(backend)), Option(*attach)]


# --- The run

def warn(text):
    print("qemu-wrap:", str(text).replace("\n", "\\n"), file=sys.stderr)


def read_settings(environment):
    settings = SimpleNamespace(show=False, **{name: environment.get(f"QEMU_WRAP_{name.upper()}", value)
                                              for name, value in SETTINGS.items()})
    for name, allowed in (("back_end", ("auto", "cuse", "user")), ("every_tap", ("0", "1"))):
        if getattr(settings, name) not in allowed:
            raise Refusal(f"{name} {getattr(settings, name)}: unknown: use one of {', '.join(allowed)}")
    settings.every_tap = settings.every_tap == "1"
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
    command = [settings.emul_path] + emit(rewrite(given, settings))
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
