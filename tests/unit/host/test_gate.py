"""A gate that is not as the node is, is put right; one that is being changed is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host import gate
from nfsha_config.paths import Paths

from .standins import program

CLOSED = """\
table inet nfsha {
\tchain input {
\t\ttype filter hook input priority filter - 10; policy accept;
\t\ttcp dport 2049 reject with tcp reset
\t}
\tchain closed_input {
\t\ttcp flags & (fin | syn | rst | ack) == syn reject with tcp reset
\t\tdrop
\t}
\tchain closed_output {
\t\ttcp flags & (rst | ack) == (rst | ack) tcp sequence 0 accept
\t\tdrop
\t}
}
"""
OPEN = CLOSED.replace("\t\tdrop\n", "")
HALF = CLOSED.replace("\t\tdrop\n", "", 1)


class Looks:
    """Looks at a gate, on a node in a temporary root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, Paths(folder / "root")
        self.paths.now("").mkdir(parents=True)
        self.gate = gate.Gate(self.paths)

    def serve(self) -> None:
        self.paths.now("open").touch()

    def finds(self, listed: str) -> bool:
        """Whether a look that finds it so puts it right."""
        (self.folder / "table").write_text(listed)
        assert self.gate.look() == "" and self.gate.listed == listed
        notes = self.folder / "notes"
        done = notes.exists()
        notes.unlink(missing_ok=True)
        return done


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looks:
    program(tmp_path, "nft", '[ "$*" = "list table inet nfsha" ] && cat table', monkeypatch)
    program(tmp_path, "restore", '[ "$*" = restore ] && touch notes', monkeypatch)
    monkeypatch.setattr(gate, "PROGRAM", str(tmp_path / "bin" / "restore"))
    return Looks(tmp_path)


def test_a_closed_one_on_a_standby_is_well(looks: Looks) -> None:
    assert not any(looks.finds(CLOSED) for _ in range(4))


def test_an_open_one_where_clients_are_served_is_well(looks: Looks) -> None:
    looks.serve()
    assert not any(looks.finds(OPEN) for _ in range(4))


def test_a_closed_one_where_clients_are_served_is_opened(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    """As by who loads its file."""
    looks.serve()
    assert [looks.finds(CLOSED), looks.finds(CLOSED)] == [False, True]
    assert caplog.messages == ["the gate is not open: put back"]
    assert [looks.finds(CLOSED), looks.finds(CLOSED)] == [False, True], "while it does not help, again"


@pytest.mark.parametrize("listed", [OPEN, HALF])
def test_an_open_one_on_a_standby_is_closed(looks: Looks, listed: str, caplog: pytest.LogCaptureFixture) -> None:
    assert [looks.finds(listed), looks.finds(listed)] == [False, True]
    assert caplog.messages == ["the gate is not closed: put back"]


def test_one_that_is_just_changed_is_left_alone(looks: Looks) -> None:
    """The rules first, and then the file that says so; or the other way round."""
    assert not looks.finds(OPEN)
    looks.serve()
    assert not looks.finds(OPEN) and not looks.finds(CLOSED) and not looks.finds(OPEN) and not looks.finds(CLOSED)


def test_one_that_is_gone_is_put_back_at_once(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    assert looks.gate.look() == "" and (looks.folder / "notes").exists()
    assert caplog.messages == ["the gate is gone: put back"]


def test_one_that_can_not_be_put_back(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PROGRAM", "false")
    assert looks.gate.look() == "the gate is gone, and can't be put back"
    looks.serve()
    (looks.folder / "table").write_text(CLOSED)
    told = "the gate is not open, and can't be put back"
    assert [looks.gate.look() for _ in range(3)] == [told, told, told]
