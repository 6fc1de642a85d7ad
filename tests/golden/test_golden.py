"""Every file of every host, whole. After a change that is meant: UPDATE_GOLDEN=1, run, and read the difference in git."""

from __future__ import annotations

import difflib
import os
import shutil

import pytest

from nfsha_config.render import Owned

from .sites import EACH_HOST, HERE, HOSTS, SITES, rendered

LIST = "FILES"


@EACH_HOST
def test_files_of_a_host(name: str, host: str) -> None:
    wanted = {file.path.lstrip("/"): file.text for file in rendered(name, host)}
    wanted[LIST] = "".join(f"{file.mode:04o} {file.owned.name.lower():9} {file.path}\n" for file in rendered(name, host))
    folder = HERE / name / host
    if os.environ.get("UPDATE_GOLDEN") == "1":
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in wanted.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    kept = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    difference = "".join(
        line
        for path in sorted({*wanted, *kept})
        for line in difflib.unified_diff(
            kept.get(path, "").splitlines(keepends=True), wanted.get(path, "").splitlines(keepends=True),
            f"kept/{path}", f"rendered/{path}",
        )
    )  # fmt: skip
    assert not difference, f"{folder} (UPDATE_GOLDEN=1 makes it anew):\n{difference}"
    assert kept == wanted


def test_no_folder_without_a_host() -> None:
    folders = {(path.parent.name, path.name) for name in SITES for path in (HERE / name).iterdir() if path.is_dir()}
    assert folders == set(HOSTS.values())


@EACH_HOST
def test_each_file_says_who_manages_it(name: str, host: str) -> None:
    for file in rendered(name, host):
        lines = file.text.splitlines()
        header = lines[1] if lines[0].startswith("#!") else lines[0]
        command = "then run `nfsha configure nfsha-"
        said = "# Part of nfsha-" if file.owned is Owned.PACKAGE else "# Managed by nfsha: change /etc/nfsha/site.toml, "
        assert header.startswith(said), file.path
        assert (command in header) is (file.owned is not Owned.PACKAGE), file.path
        assert file.text.endswith("\n") and "\n\n\n" not in file.text and not file.text.endswith("\n\n"), file.path
        assert not any(line != line.rstrip() for line in lines), file.path


@EACH_HOST
def test_secrets_only_in_files_that_root_alone_reads(name: str, host: str) -> None:
    for file in rendered(name, host):
        holds = "golden-secret" in file.text
        assert holds is (file.owned is Owned.SECRET) is (file.mode == 0o600), file.path
        assert "golden-secret" not in repr(file)


@pytest.mark.parametrize("name", SITES)
def test_nothing_depends_on_the_node_but_what_must(name: str) -> None:
    """The nodes of a site share all files but keepalived.conf: two nodes that disagree are two clusters."""
    first, *others = ({file.path: file.text for file in rendered(name, node.name)} for node in SITES[name].nodes)
    for other in others:
        assert {path for path in first if first[path] != other[path]} == {"/etc/keepalived/keepalived.conf"}
