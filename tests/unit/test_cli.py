"""The command line as a person meets it: what it prints, where, and how it ends."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from nfsha_config import answers, cli
from nfsha_config.problems import InputError
from nfsha_config.site import load

TOP = Path(__file__).resolve().parents[2]
LAB = load.LAB.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int | str | None
    stdout: str
    stderr: str


class Command(Protocol):
    """Runs nfsha with these words, in the test's own folder."""

    def __call__(self, *words: str | Path) -> Done: ...


@pytest.fixture
def nfsha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["nfsha", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Done(end.value.code, *capsys.readouterr())

    return run


def test_the_package_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nfsha_config", "check", "none.toml"], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={"PYTHONPATH": str(TOP), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("nfsha: site: none.toml: No such file")


def test_the_example_is_a_good_site(tmp_path: Path, nfsha: Command) -> None:
    done = nfsha("example")
    assert (done.returncode, done.stdout) == (0, LAB)
    (tmp_path / "site.toml").write_text(done.stdout)
    done = nfsha("check", "site.toml")
    assert (done.returncode, done.stdout) == (0, "site.toml: good; cluster ocfs2, revision 1, nodes nfs1, nfs2\n")


def test_all_problems_of_a_site_are_shown(tmp_path: Path, nfsha: Command) -> None:
    (tmp_path / "site.toml").write_text(LAB.replace("router_id = 101", "router_id = 300").replace('"1GiB"', '"big"'))
    done = nfsha("check", "site.toml")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("nfsha: site.toml: network.router_id = 300: is outside 1 to 255")
    assert lines[1].startswith('nfsha: site.toml: storage.size = "big": is not a size')


@pytest.mark.parametrize(
    "words", [("check", "none.toml"), ("render", "nfs1", "--site", "none.toml"), ("repo", "serve", "none")]
)
def test_a_missing_file_is_told_without_a_traceback(nfsha: Command, words: tuple[str, ...]) -> None:
    done = nfsha(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("nfsha: ") and "Traceback" not in done.stderr


def test_a_folder_in_the_place_of_a_file_is_told_without_a_traceback(tmp_path: Path, nfsha: Command) -> None:
    nfsha("secrets", "init", "s")
    done = nfsha("preseed", "nfs1", "--secrets", "s", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("nfsha: ") and "Traceback" not in done.stderr


def test_a_wrong_command_line_ends_with_2(nfsha: Command) -> None:
    assert nfsha("build").returncode == 2
    assert nfsha("unheard-of").returncode == 2
    assert nfsha("--help").returncode == 0
    assert nfsha("--version").stdout.startswith("nfsha ")


def test_secrets_are_made_once(tmp_path: Path, nfsha: Command) -> None:
    assert nfsha("secrets", "init").returncode == 0
    place = tmp_path / "secrets"
    text = place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600
    done = nfsha("secrets", "init")
    assert done.returncode == 1 and "exists" in done.stderr
    assert place.read_text() == text


def test_preseed_names_its_file_and_never_the_secrets(tmp_path: Path, nfsha: Command) -> None:
    nfsha("secrets", "init")
    done = nfsha("preseed", "nfs1", "--secrets", "secrets", "--consent-to-format")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nfs1.preseed\n", "")
    place = tmp_path / "nfs1.preseed"
    assert place.stat().st_mode & 0o777 == 0o600
    assert "nfsha-node/format boolean true" in place.read_text()


def test_render_shows_the_files_of_a_host(tmp_path: Path, nfsha: Command) -> None:
    done = nfsha("render", "nfs1")
    assert "==> /etc/keepalived/keepalived.conf 0644\n" in done.stdout
    done = nfsha("render", "nfs1", "--out", "files")
    assert (tmp_path / "files/etc/ocfs2/cluster.conf").is_file()


def test_files_with_secrets_need_the_secrets(nfsha: Command) -> None:
    assert "tgt/conf.d" not in nfsha("render", "target").stdout
    nfsha("secrets", "init")
    done = nfsha("render", "target", "--secrets", "secrets")
    assert "==> /etc/tgt/conf.d/nfsha.conf 0600\n" in done.stdout


def test_answers_are_lines_of_key_and_value() -> None:
    assert answers.parse("node=nfs1\n\nset.storage.iqn=iqn.2018-08.a:b=c\nset.network.witnesses=\n") == {
        "node": "nfs1", "set.storage.iqn": "iqn.2018-08.a:b=c", "set.network.witnesses": "",
    }  # fmt: skip


def test_no_message_shows_an_answer() -> None:
    with pytest.raises(InputError) as caught:
        answers.parse("secret.node\nnode=a\nnode=hush\nhush")
    assert str(caught.value).splitlines() == [
        "answers: line 1: has no = (write key=value)",
        "answers: line 3: gives node again (give each answer once)",
        "answers: line 4: has no = (write key=value)",
    ]


def test_an_answer_that_is_no_text_is_told_by_its_place() -> None:
    with pytest.raises(InputError) as caught:
        answers.read(io.BytesIO("node=Büro".encode("latin-1")))
    assert str(caught.value) == "answers: byte 7: is not UTF-8 (type it in a UTF-8 locale)"


def test_an_answer_may_hold_what_python_takes_for_an_end_of_line() -> None:
    assert answers.parse("node=a\x0bb\nset.x=\u2028\n") == {"node": "a\x0bb", "set.x": ""}
