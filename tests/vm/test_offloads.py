# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Linux guests that leave checksums and segments to the switch, among themselves and to the host beyond the uplink.

Whatever arrives, in a guest or on the wire, is looked at frame by frame (tools/inspect.c), and no kernel may count
a bad checksum, in no test. A partial checksum arrives as it is at a guest that takes it; anybody else
gets ordinary frames.
"""

import contextlib

import pytest

from lib.uplink import AF_PACKET
from vm.lan import Lan
from vm.parties import ENDLESS, LARGE, GuestParty, HostParty, TaggedParty, goes_on, has, make_image

CSUM = ["--tx-csum", "1"]
TSO = [*CSUM, "--tso", "1"]
MERGEABLE = ["--mergeable", "1"]
PACKED = "packed=on"
PLAIN = ("csum=off,gso=off,guest_csum=off,host_tso4=off,host_tso6=off,host_ecn=off,"
         "guest_tso4=off,guest_tso6=off,guest_ecn=off")
# What each scene is: a and b with one format of rings each; c, who knows of no offloads. The one that has a alone is
# for the uplink.
SCENES = {
    "mergeable": dict(names="abc", nics={"b": PACKED, "c": PLAIN}, options=[*TSO, *MERGEABLE], polls=True),
    "not-mergeable": dict(names="abc", nics={"a": PACKED, "c": PLAIN}, uplink=AF_PACKET, vlan_base=0, options=TSO),
    "af_packet-tagged": dict(names="a", uplink=AF_PACKET, options=[*TSO, *MERGEABLE]),
}
MBYTES = 8
SEGMENTS = 45  # are 64 KiB
MANY = f"--bytes {MBYTES}M"
FRAME, TAG = 1514, 4
# Full frames that carry most of it: what is on its way when iperf3 ends does not count.
FRAMES = (MBYTES << 20) // 1460 // 2
CSUM_BITS = {"csum": 0, "guest_csum": 1}
TSO_BITS = {"guest_tso4": 7, "guest_tso6": 8, "host_tso4": 11, "host_tso6": 12}
MRG_RXBUF, RING_PACKED = 15, 34
BURST = dict(length=1400, segments=40)


class Scene:
    def __init__(self, lan, stack, options):
        self.lan = lan
        self.options = options
        self.guests = {name: GuestParty(guest) for name, guest in lan.guests.items()}
        self.host = HostParty(lan, stack)

    def pick(self, names):
        return [self.guests[name] for name in names]

    def check(self):
        for party in (*self.guests.values(), self.host):
            assert not party.bad_checksums(), party.name


@pytest.fixture(scope="module")
def tools_image(tmp_path_factory):
    return make_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def scene(request, module_box, tools_image):
    arguments = SCENES[request.param]
    with Lan(module_box, tools_image, **arguments) as lan, contextlib.ExitStack() as stack:
        lan.boot()
        yield Scene(lan, stack, arguments["options"])


@pytest.fixture(autouse=True)
def no_bad_checksums(scene):
    yield
    scene.check()


def in_scenes(*names):
    return pytest.mark.parametrize("scene", names, indirect=True, scope="module")


guests_three = in_scenes("mergeable", "not-mergeable")
all_scenes = in_scenes(*SCENES)
families = pytest.mark.parametrize("family", [4, 6])


def ways(*names):
    """From whom to whom, by IPv4 and IPv6 in turn: the two scenes have the formats of the rings exchanged."""
    return pytest.mark.parametrize("way, family", [(way, (4, 6)[i % 2]) for i, way in enumerate(names)])


@contextlib.contextmanager
def frames_as_they_come(party):
    """Its kernel does not merge frames before they can be seen."""
    party.offload(gro=False)
    try:
        with party.watch() as seen:
            yield seen
    finally:
        party.offload(gro=True)


@all_scenes
def test_agreed_features(scene):
    for name, party in scene.guests.items():
        nic = scene.lan.nics.get(name, "")
        for feature, bit in CSUM_BITS.items():
            assert has(party.guest, bit) == (nic != PLAIN), (name, feature)
        for feature, bit in TSO_BITS.items():
            assert has(party.guest, bit) == (nic != PLAIN and "--tso" in scene.options), (name, feature)
        assert has(party.guest, MRG_RXBUF) == ("--mergeable" in scene.options)
        assert has(party.guest, RING_PACKED) == (nic == PACKED)


@guests_three
@ways("ab", "ba")
def test_segments_cross_as_they_are(scene, way, family):
    sender, receiver = scene.pick(way)
    # Linux does this by itself if the other end is fast enough.
    sender.run(f"echo {SEGMENTS} > /proc/sys/net/ipv4/tcp_min_tso_segs")
    with frames_as_they_come(receiver) as seen:
        sender.iperf(receiver, MANY, family)
    assert seen["longest"] > LARGE
    assert seen["partial"] > 0


@guests_three
@ways("ac", "bc")
def test_segments_for_a_guest_that_takes_none(scene, way, family):
    sender, receiver = scene.pick(way)
    with frames_as_they_come(receiver) as seen:
        sender.iperf(receiver, MANY, family)
    assert seen["longest"] == FRAME
    assert seen["partial"] == 0
    assert seen[f"tcp{family}"] >= FRAMES
    with frames_as_they_come(sender) as seen:
        receiver.iperf(sender, MANY, family)
    assert seen["longest"] == FRAME
    assert seen["partial"] == 0


@guests_three
@ways("ab", "ba", "bc", "ca")
def test_datagrams(scene, way, family):
    sender, receiver = scene.pick(way)
    with receiver.watch() as seen:
        total = sender.iperf(receiver, "--udp --bitrate 40M --bytes 4M", family)["sum"]
        assert total["packets"] > total["lost_packets"]
        sent = sender.bursts(receiver, **BURST, bursts=50, family=family)
    if "c" not in way:
        assert sent["pieces"] >= 50  # by the sending kernel, which leaves checksums to the switch
        assert seen["partial"] > 0
    else:
        assert seen["partial"] == 0
    assert seen[f"udp{family}"] >= 50


@guests_three
@pytest.mark.parametrize("way", ["ab", "ba"])
def test_a_file_arrives_as_it_was(scene, way):
    """iperf3 looks at no byte of what it receives."""
    sender, receiver = scene.pick(way)
    sender.run(f"dd if=/dev/urandom of=/tmp/file bs=1M count={MBYTES} 2> /dev/null")
    receiver.spawn("nc -l -p 5400 -e md5sum")
    receiver.guest.wait_for("netstat -ltn | grep -q :5400")
    answer = sender.run(f"nc {receiver.addresses[4]} 5400 < /tmp/file")
    assert answer == sender.run("md5sum < /tmp/file")
    sender.run("rm /tmp/file")


@guests_three
@ways("ab", "ca", "bc")
def test_three_tags(scene, way, family):
    """Linux leaves the checksum after any number of tags to its card; who takes no such feature gets it finished."""
    sender, receiver = [TaggedParty(party, 3) for party in scene.pick(way)]
    receiver.party.offload(gro=False)
    try:
        with receiver.watch() as seen:
            sender.iperf(receiver, "--bytes 8M", family)
            sender.iperf(receiver, "--udp --bitrate 40M --bytes 4M", family)
    finally:
        receiver.party.offload(gro=True)
    # A third of it or less: what is on its way when iperf3 ends does not count, and datagrams may be lost.
    assert seen[f"tcp{family}"] > 1000 and seen[f"udp{family}"] > 500
    assert seen["partial"] > 1000 if way == "ab" else seen["partial"] == 0


CHANGES = [dict(tx=False), dict(tso=False), dict(tx=True), dict(tso=True), dict(gso=False), dict(gro=False),
           dict(gso=True), dict(sg=False), dict(gro=True), dict(sg=True)]
CHANGED = ("tx-checksumming", "tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload",
           "scatter-gather")


@guests_three
def test_offloads_change_under_traffic(scene):
    a, b, c = scene.pick("abc")
    with a.running(a.iperf_command(b, f"{ENDLESS} --bidir")), \
            b.running(b.bursts_command(a, **BURST, bursts=1000000, family=6)), \
            c.running(c.iperf_command(scene.host, f"{ENDLESS} --bidir")):
        for features in CHANGES:
            for party in (a, b):
                party.offload(**features)
            goes_on(a, b, c)
    for party in (a, b):
        offloads = party.offloads()
        assert all(offloads[name] for name in CHANGED), offloads


@all_scenes
@families
def test_every_frame_on_the_wire_is_finished(scene, family):
    a, host = scene.guests["a"], scene.host
    with host.watch() as seen:
        a.iperf(host, MANY, family)
        a.iperf(host, "--udp --bitrate 40M --bytes 2M", family)
        a.bursts(host, **BURST, bursts=20, family=family)
    assert seen["missed"] == 0
    assert seen["partial"] == 0
    assert seen["longest"] == FRAME + (TAG if scene.lan.vlan_base else 0)
    assert seen[f"tcp{family}"] >= FRAMES
    assert seen[f"udp{family}"] >= 20 * BURST["segments"]


@all_scenes
@families
def test_the_host_sends(scene, family):
    for party in scene.guests.values():
        with frames_as_they_come(party) as seen:
            scene.host.iperf(party, "--bytes 4M", family)
            scene.host.bursts(party, **BURST, bursts=20, family=family)
        assert seen["partial"] == 0
