"""What the config script asks, and in which order: a frontend of the tests' own speaks debconf's protocol."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.packages.conftest import Debconf

pytestmark = pytest.mark.slow


class Frontend:
    """Answers the commands of a config script.

    back holds the questions at which the person goes back, once each; a question whose priority is in hidden is not
    shown.
    """

    def __init__(self, values: dict[str, str], back: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> None:
        self.values = values
        self.back = list(back)
        self.hidden = hidden
        self.seen: list[str] = []
        self.page: list[str] = []

    def run(self, debconf: Debconf, *arguments: str) -> list[str]:
        """The questions that are shown, as "priority name"."""
        env = {"PATH": f"{debconf.folder}/bin:/usr/bin:/bin", "DEBIAN_HAS_FRONTEND": "1", "LC_ALL": "C.UTF-8"}
        script = debconf.control / f"{debconf.package}.config"
        with subprocess.Popen(
            [script, *arguments], env={**os.environ, **env}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            for line in process.stdout:
                process.stdin.write(self.reply(*line.split()) + "\n")
                process.stdin.flush()
        assert process.returncode == 0
        return self.seen

    def reply(self, command: str, *words: str) -> str:
        """The answer to one command, debconf-devel(7)."""
        name = words[-1].partition("/")[2] if words else ""
        if command == "INPUT":
            if words[0] in self.hidden:
                return "30 question skipped"
            self.page.append(name)
            self.seen.append(f"{words[0]} {name}")
        elif command == "GO":
            assert len(self.page) <= 1, "one can't go back between these"
            page, self.page = self.page, []
            if page and page[0] in self.back:
                self.back.remove(page[0])
                return "30 backup"
            return "0 ok"
        elif command == "GET":
            return f"0 {self.values.get(name, '')}"
        elif command == "SET":
            self.values[words[0].partition("/")[2]] = " ".join(words[1:])
        return "0"


def test_the_first_node_is_asked_for_consent_at_the_end(debconf: Debconf) -> None:
    seen = Frontend({}).run(debconf, "configure", "")
    assert seen[:3] == ["low node", "high secret-node", "high secret-target"]
    assert "medium network-virtual-address" in seen and "low timings-nfs-lease" in seen
    assert seen[-1] == "high format"
    assert len(seen) == len(set(seen))


def test_another_node_is_not_asked_for_consent(debconf: Debconf) -> None:
    assert "high format" not in Frontend({"node": "nfs2"}).run(debconf, "configure", "")


def test_an_unknown_host_must_say_which_node_it_is(debconf: Debconf) -> None:
    debconf.program("hostname", "echo other")
    assert Frontend({}).run(debconf, "configure", "")[0] == "high node"


def test_one_can_go_back_question_by_question(debconf: Debconf) -> None:
    seen = Frontend({}, back=("format", "timings-nfs-grace")).run(debconf, "configure", "")
    assert [one.partition(" ")[2] for one in seen[-6:]] == [
        "timings-nfs-grace", "timings-nfs-lease", "timings-nfs-grace", "format", "timings-nfs-grace", "format"
    ]  # fmt: skip


def test_going_back_passes_by_what_is_not_shown(debconf: Debconf) -> None:
    seen = Frontend({}, back=("format",), hidden=("low", "medium")).run(debconf, "configure", "")
    assert seen == [
        "high secret-node", "high secret-target", "high format", "high secret-target", "high format",
    ]  # fmt: skip


def test_one_can_back_out_of_the_first_question(debconf: Debconf) -> None:
    assert Frontend({}, back=("node",)).run(debconf, "configure", "") == ["low node"]


def test_secrets_in_place_are_not_asked_for(debconf: Debconf) -> None:
    debconf.file("etc/nfsha/secrets", "")
    assert not [one for one in Frontend({}).run(debconf, "configure", "") if "secret" in one]


@pytest.mark.parametrize(("why", "asked"), [("configure", []), ("reconfigure", ["high format"])])
def test_consent_is_asked_for_again_by_reconfigure_alone(debconf: Debconf, why: str, asked: list[str]) -> None:
    debconf.file("etc/nfsha/host.toml", 'node = "nfs1"\nconsent_to_format = ""\n')
    assert [one for one in Frontend({}).run(debconf, why, "0.1.0+site1") if "format" in one] == asked
