"""The serving node: what its server does, and has not got, is mended twice, and then it is another node's turn."""

from __future__ import annotations

import pytest

from nfsha_config.host.health import MENDED

from .looked_at import COUNTERS, NFSDCLD, SITE, Node
from .nfsserver import DELAY, Server
from .standins import program


def test_a_node_that_serves(node: Node, server: Server) -> None:
    node.serve()
    node.heartbeat(SITE.state_uuid, 20000)
    for now in range(0, 60, 5):
        assert node.look(now) == ""
    assert server.looks == 12 and node.done() == []


def test_a_server_without_threads_is_started_again(node: Node, server: Server) -> None:
    node.serve()
    node.put(COUNTERS, "th 0 0\n")
    assert [node.look(now) for now in (0.0, 2.0, 8.0)] == ["", "", ""]
    assert node.done() == ["restart --no-block nfs-server.service"]
    node.take(COUNTERS)
    assert node.look(500.0) == ""
    assert node.done() == ["restart --no-block nfs-server.service"] * 2


def test_a_server_that_ends_again_and_again_is_given_up(node: Node, server: Server) -> None:
    node.serve()
    for now in (0.0, 50.0):
        node.put(COUNTERS, "th 0 0\n")
        assert node.look(now) == ""
        node.serve()
        assert node.look(now + 20.0) == ""
    node.put(COUNTERS, "th 0 0\n")
    assert node.look(100.0).startswith("the NFS server ends again and again")
    assert node.done() == ["restart --no-block nfs-server.service"] * 2


def test_an_nfsdcld_that_stays_away(node: Node, server: Server) -> None:
    node.serve()
    node.take(NFSDCLD)
    assert [node.look(now) for now in (0.0, 2.0, 4.0, 30.0)] == [""] * 4
    assert node.done() == ["start --no-block nfsdcld.service"] * 2
    node.serve()
    assert node.look(32.0) == ""
    node.take(NFSDCLD)
    assert (node.look(40.0), node.look(70.0)) == ("", "")
    assert node.look(71.0).startswith("nfsdcld does not run")


def test_a_server_that_does_not_answer_is_started_again_and_then_given_up(node: Node) -> None:
    node.serve()
    assert [node.look(now) for now in (0.0, 10.0, 15.0)] == ["", "", ""]
    assert node.done() == []
    assert [node.look(now) for now in (16.0, 27.0, 45.0)] == ["", "", ""]
    assert node.done() == ["restart --no-block nfs-server.service"], "a restart takes its time; a second one would begin anew"
    assert "the NFS server does not answer: [Errno 111]" in node.look(46.0)


def test_a_restart_that_did_not_help_is_not_tried_once_more(node: Node) -> None:
    """As it is on a node: the gate is closed while the server is started again, and its silence begins anew."""
    node.serve()
    assert (node.look(0.0), node.look(16.0)) == ("", "")
    node.take("/run/nfsha/open")
    assert node.look(18.0) == ""
    node.serve()
    assert [node.look(now) for now in (20.0, 26.0, 32.0, 40.0)] == [""] * 4
    assert "the NFS server does not answer: [Errno 111]" in node.look(42.0)
    assert node.done() == ["restart --no-block nfs-server.service"]


def test_a_server_that_waits_for_the_disk_is_not_judged(node: Node) -> None:
    """All of its threads may wait there. Its silence begins when the disk is back."""
    node.serve()
    assert node.look(0.0) == ""
    node.heartbeat(SITE.data_uuid, 10000)
    assert [node.look(now) for now in (12.0, 16.0, 60.0, 100.0)] == [""] * 4 and node.done() == []
    node.heartbeat(SITE.data_uuid, 100)
    assert (node.look(106.0), node.look(112.0)) == ("", "") and node.done() == []
    assert node.look(122.0) == ""
    assert node.done() == ["restart --no-block nfs-server.service"]


def test_a_server_that_waits_for_a_volume_is_not_judged(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while OCFS2 recovers another node; a write is tried as soon as the server does not answer."""
    node.serve()
    flag = node.programs / "hang"
    program(node.programs, "dd", 'while [ -e hang ]; do sleep 0.05; done', monkeypatch)
    assert node.look(0.0) == ""
    flag.touch()
    look = node.health.look
    assert [look(now) for now in (2.0, 4.0, 7.0, 16.0, 40.0)] == [""] * 5 and node.done() == []
    flag.unlink()
    assert [node.look(now) for now in (41.0, 46.0, 56.0)] == [""] * 3 and node.done() == []
    assert node.look(62.0) == ""
    assert node.done() == ["restart --no-block nfs-server.service"]


def test_a_server_that_answers_wrongly_is_given_up(node: Node, server: Server) -> None:
    node.serve()
    server.after_sequence = DELAY
    for now in (0.0, 20.0, 40.0):
        assert node.look(now) == ""
    assert f"error {DELAY}" in node.look(46.0)
    server.after_sequence = 0
    assert f"error {DELAY}" in node.look(60.0)
    assert node.look(46.0 + MENDED) == ""


def test_a_server_that_fails_again_later_is_started_again(node: Node, server: Server) -> None:
    node.serve()
    for now, error in ((0.0, DELAY), (16.0, DELAY), (22.0, 0), (30.0, DELAY), (46.0, DELAY)):
        server.after_sequence = error
        assert node.look(now) == ""
    assert node.done() == ["restart --no-block nfs-server.service"] * 2


def test_a_server_that_was_stopped_begins_with_a_clean_slate(node: Node) -> None:
    node.serve()
    assert node.look(0.0) == ""
    node.take("/run/nfsha/open")
    assert node.look(40.0) == ""
    node.serve()
    assert node.look(50.0) == "" and node.done() == []


def test_another_machine_with_the_virtual_address_is_reported(node: Node, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    node.serve()
    twin, told = node.programs / "twin", node.paths.now("duplicate")
    assert node.look(0.0) == "" and told.read_text() == ""
    twin.write_text("Unicast reply from 192.168.50.10 [52:54:00:AB:34:56]  1.234ms\n")
    assert node.look(9.9) == "" and told.read_text() == ""
    assert node.look(10.0) == "" and told.read_text() == "" and caplog.messages == []
    twin.write_text("Unicast reply from 192.168.50.10 [52:54:00:99:99:99]  1.234ms\n")
    assert node.look(20.0) == "" and told.read_text() == "52:54:00:99:99:99"
    twin.write_text("Unicast reply from 192.168.50.10 [52:54:00:AB:34:56]  1.234ms\n")
    for now in (30.0, 40.0):
        assert node.look(now) == "" and told.read_text() == "52:54:00:ab:34:56"
    assert caplog.messages == [
        "192.168.50.10: 52:54:00:99:99:99 answers for it, too", "192.168.50.10: 52:54:00:ab:34:56 answers for it, too"
    ]  # fmt: skip
    twin.unlink()
    assert node.look(50.0) == "" and told.read_text() == ""
    assert (node.programs / "asked").read_text() == "-D -c 1 -w 1 -I eth1 192.168.50.10\n" * 6
    assert len(caplog.messages) == 2 and node.done() == []


def test_an_heir_that_has_the_virtual_address_already_is_no_twin(node: Node, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    node.serve()
    twin = node.programs / "twin"
    for now in (0.0, 60.0):
        twin.write_text("Unicast reply from 192.168.50.10 [52:54:00:AB:34:56]  1.234ms\n")
        assert node.look(now) == ""
        node.take("/run/nfsha/open")
        assert node.look(now + 10.0) == ""
        twin.unlink()
        node.serve()
        assert node.look(now + 20.0) == ""
    assert node.paths.now("duplicate").read_text() == "" and caplog.messages == []
