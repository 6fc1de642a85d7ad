"""What the config script asks, and in which order: a frontend of the tests' own speaks debconf's protocol."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.packages.conftest import Debconf

pytestmark = pytest.mark.slow


class Frontend:
    """Answers the commands of a config script; back holds the numbers of the GOs at which the person goes back."""

    def __init__(self, values: dict[str, str], back: tuple[int, ...] = ()) -> None:
        self.values = values
        self.back = back
        self.pages: list[list[str]] = [[]]

    def run(self, debconf: Debconf, *arguments: str) -> list[list[str]]:
        """The questions of each page shown, as "priority name"."""
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
        return self.pages[:-1]

    def reply(self, command: str, *words: str) -> str:
        """The answer to one command, debconf-devel(7)."""
        name = words[-1].partition("/")[2] if words else ""
        if command == "INPUT":
            self.pages[-1].append(f"{words[0]} {name}")
        elif command == "GO":
            self.pages.append([])
            return "30 backup" if len(self.pages) - 1 in self.back else "0 ok"
        elif command == "GET":
            return f"0 {self.values.get(name, '')}"
        elif command == "SET":
            self.values[words[0].partition("/")[2]] = " ".join(words[1:])
        return "0"


def test_the_first_node_is_asked_for_consent_on_a_page_of_its_own(debconf: Debconf) -> None:
    pages = Frontend({}).run(debconf, "configure", "")
    assert len(pages) == 2
    assert pages[0][:3] == ["low node", "high secret-node", "high secret-target"]
    assert "medium network-virtual-address" in pages[0] and "low timings-nfs-lease" in pages[0]
    assert pages[1] == ["high format"]


def test_another_node_is_not_asked_for_consent(debconf: Debconf) -> None:
    assert Frontend({"node": "nfs2"}).run(debconf, "configure", "")[1] == []


def test_an_unknown_host_must_say_which_node_it_is(debconf: Debconf) -> None:
    debconf.program("hostname", "echo other")
    assert Frontend({}).run(debconf, "configure", "")[0][0] == "high node"


def test_one_can_go_back_from_the_consent_to_the_first_page(debconf: Debconf) -> None:
    pages = Frontend({}, back=(2,)).run(debconf, "configure", "")
    assert [page[-1] for page in pages] == [pages[0][-1], "high format"] * 2


def test_one_can_back_out_of_the_first_page(debconf: Debconf) -> None:
    assert len(Frontend({}, back=(1,)).run(debconf, "configure", "")) == 1


def test_secrets_in_place_are_not_asked_for(debconf: Debconf) -> None:
    debconf.file("etc/nfsha/secrets", "")
    assert not [one for one in Frontend({}).run(debconf, "configure", "")[0] if "secret" in one]


@pytest.mark.parametrize(("why", "asked"), [("configure", []), ("reconfigure", ["high format"])])
def test_consent_is_asked_for_again_by_reconfigure_alone(debconf: Debconf, why: str, asked: list[str]) -> None:
    debconf.file("etc/nfsha/host.toml", 'node = "nfs1"\nconsent_to_format = ""\n')
    assert Frontend({}).run(debconf, why, "0.1.0+site1")[1] == asked
