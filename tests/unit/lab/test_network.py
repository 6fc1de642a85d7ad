"""The network under test: who gets a frame, what a fault loses, and that a stalled machine stalls nobody else."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_lab.cable import Network
from nfsha_lab.network import PERFECT, Fabric, Quality, both_ways
from nfsha_lab.switch import QUEUE_FRAMES, Port, Switch, port_socket
from nfsha_lab.wire import FRAME_MAX, LENGTH, Capture, Framing, framed

NAMES = ("a", "b", "c")
EVERYBODY = b"\xff" * 6
ADDRESS = {name: b"\x52\x54\x00\x00\x00" + name.encode() for name in NAMES}


def frame(source: str, target: bytes, size: int = 60) -> bytes:
    return (target + ADDRESS[source] + b"\x08\x00").ljust(size, b".")


def targets(fabric: Fabric, source: str, target: bytes) -> set[str]:
    return {port for port, _ in fabric.route(source, frame(source, target))}


def test_unknown_address_goes_to_all_known_one_to_its_port() -> None:
    fabric = Fabric(NAMES)
    assert targets(fabric, "a", ADDRESS["b"]) == {"b", "c"}
    assert targets(fabric, "b", ADDRESS["a"]) == {"a"}
    assert targets(fabric, "a", EVERYBODY) == {"b", "c"}


def test_moved_address_is_learned_anew() -> None:
    fabric = Fabric(NAMES)
    virtual = b"\x52\x54\x00\x00\x01\x01"
    fabric.route("a", EVERYBODY + virtual + b"\x08\x06")
    assert targets(fabric, "c", virtual) == {"a"}
    fabric.route("b", EVERYBODY + virtual + b"\x08\x06")
    assert targets(fabric, "c", virtual) == {"b"}


def test_cut_pair_loses_only_between_the_two() -> None:
    fabric = Fabric(NAMES)
    fabric.shape(both_ways("a", ["b"]), Quality(cut=True))
    assert targets(fabric, "a", EVERYBODY) == {"c"}
    assert targets(fabric, "b", EVERYBODY) == {"c"}
    assert targets(fabric, "c", EVERYBODY) == {"a", "b"}


def test_one_way_cut_and_join() -> None:
    fabric = Fabric(NAMES)
    fabric.shape([("a", "b")], Quality(cut=True))
    assert targets(fabric, "a", EVERYBODY) == {"c"}
    assert targets(fabric, "b", EVERYBODY) == {"a", "c"}
    fabric.shape([("a", "b")], PERFECT)
    assert not fabric.quality
    assert targets(fabric, "a", EVERYBODY) == {"b", "c"}


def test_machine_cut_from_all() -> None:
    fabric = Fabric(NAMES)
    fabric.shape(both_ways("a", NAMES), Quality(cut=True))
    assert targets(fabric, "a", EVERYBODY) == set()
    assert targets(fabric, "b", EVERYBODY) == {"c"}


def test_loss_and_delay() -> None:
    fabric = Fabric(("a", "b"))
    fabric.shape([("a", "b")], Quality(loss=0.5, delay=0.25))
    passed = [fabric.route("a", frame("a", EVERYBODY)) for _ in range(1000)]
    assert 400 < sum(1 for way in passed if way) < 600
    assert {way[0] for way in passed if way} == {("b", 0.25)}


def test_unknown_port_is_refused() -> None:
    with pytest.raises(KeyError):
        Fabric(NAMES).shape([("a", "x")], Quality(cut=True))


def test_framing_puts_pieces_together() -> None:
    sent = [frame("a", EVERYBODY, size) for size in (60, 1514, 61)]
    stream = b"".join(framed(one) for one in sent)
    for piece in (1, 7, 1000, len(stream)):
        framing = Framing()
        got = [one for at in range(0, len(stream), piece) for one in framing.feed(stream[at : at + piece])]
        assert got == sent


def test_framing_refuses_what_is_no_frame() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        Framing().feed(LENGTH.pack(FRAME_MAX + 1))


def test_stalled_port_drops_whole_frames_and_recovers() -> None:
    ours, machine = socket.socketpair()
    ours.setblocking(False)
    port = Port("a", ours)
    sent = frame("b", EVERYBODY, 1514)
    while not port.flush():
        port.enqueue(sent)
    for _ in range(2 * QUEUE_FRAMES):
        port.enqueue(sent)
        port.flush()
    assert len(port.queue) <= QUEUE_FRAMES
    assert port.dropped >= QUEUE_FRAMES
    framing, got = Framing(), 0
    machine.setblocking(False)
    while port.queue or got < port.sent:
        port.flush()
        for one in framing.feed(machine.recv(1 << 20)):
            assert one == sent
            got += 1
    assert got == port.sent
    port.unplug()
    machine.close()


def test_capture_is_a_pcap_file(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "x.pcap")
    capture.record(frame("a", EVERYBODY))
    capture.close()
    content = (tmp_path / "x.pcap").read_bytes()
    assert len(content) == 24 + 16 + 60
    assert content.endswith(frame("a", EVERYBODY))


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    switch = Switch(tmp_path, NAMES)
    thread = threading.Thread(target=switch.serve)
    thread.start()
    yield switch
    switch.stopping = True
    plug(tmp_path, "a").close()
    thread.join(10)
    assert not thread.is_alive()
    switch.close()


def plug(run: Path, name: str) -> socket.socket:
    machine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    machine.connect(str(port_socket(run, name)))
    machine.settimeout(5)
    return machine


def receive(machine: socket.socket) -> bytes:
    framing = Framing()
    while True:
        for one in framing.feed(machine.recv(65536)):
            return one


def test_switch_carries_frames_past_a_machine_that_does_not_read(switch: Switch, tmp_path: Path) -> None:
    a, b, c = (plug(tmp_path, name) for name in NAMES)
    for number in range(2000):
        a.sendall(framed(frame("a", EVERYBODY, 1000 + number % 100)))
        assert len(receive(b)) == 1000 + number % 100
    assert switch.ports["c"].dropped > 0
    for machine in (a, b, c):
        machine.close()


def test_switch_obeys_orders(switch: Switch, tmp_path: Path) -> None:
    a, b = plug(tmp_path, "a"), plug(tmp_path, "b")
    a.sendall(framed(frame("a", EVERYBODY)))
    assert receive(b) == frame("a", EVERYBODY)
    switch.obey({"do": "shape", "pairs": [["a", "b"]], "quality": {"cut": True}})
    assert switch.obey({"do": "status"})["faults"] == [["a", "b", {"cut": True, "loss": 0.0, "delay": 0.0}]]
    a.sendall(framed(frame("a", EVERYBODY)))
    b.sendall(framed(frame("b", EVERYBODY)))
    assert receive(a) == frame("b", EVERYBODY)
    b.settimeout(0.1)
    with pytest.raises(TimeoutError):
        receive(b)
    with pytest.raises(ValueError, match="unknown order"):
        switch.obey({"do": "explode"})
    a.close()
    b.close()


def test_a_machine_without_any_way_is_alone(switch: Switch, tmp_path: Path) -> None:
    network = Network(tmp_path, NAMES)
    network.cut("a")
    assert network.alone("a")
    assert not network.alone("b")
    network.join("a", "c")
    assert not network.alone("a")
    network.heal()
    network.cut("a", one_way=True)
    assert not network.alone("a")
