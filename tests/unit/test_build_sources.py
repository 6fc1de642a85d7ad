"""Source trees, versions, nfsha.sources and the result's folder."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import nfsha_config
from nfsha_config.build import build, changelog, preseed, serve, source, sources
from nfsha_config.build.changelog import Release
from nfsha_config.build.folder import replaced
from nfsha_config.build.key import Key
from nfsha_config.problems import InputError, NfshaError, Refused
from nfsha_config.render import PACKAGES, RESIDENT, ManagedFile, Owned
from nfsha_config.site import load

SITE = load.load_file(load.LAB)
TEXT = load.LAB.read_text(encoding="utf-8")
TOOL = Release("1.2.3", 1_700_000_000)


@pytest.mark.parametrize("uri", ["http://HOST:8080/", "http://192.0.2.5/a https://192.0.2.6/a", "file:/srv/repo"])
def test_a_uri_that_apt_takes(uri: str) -> None:
    sources.check(uri)


@pytest.mark.parametrize("uri", ["", "192.0.2.5:8080/", "buildhost:8080/", "http://a/\nTrusted: yes", "http://a/  b", "http: //a/"])
def test_a_uri_that_apt_would_not_take(uri: str, tmp_path: Path) -> None:
    """Found on the build host, not on each machine."""
    with pytest.raises(InputError) as error:
        build.build(build.Order(TEXT, "site", tmp_path / "out", uri))
    assert str(error.value).startswith(f"nfsha build: --uri = {uri}: is not a URI")


def test_what_holds_secrets_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a file of everybody's was there before."""
    place = tmp_path / "etc" / "secret"
    place.parent.mkdir()
    place.write_text("before")
    place.chmod(0o644)
    modes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: modes.append(os.fstat(descriptor).st_mode & 0o777))
    source.write((ManagedFile("/etc/secret", "chap", 0o600, Owned.SECRET),), tmp_path)
    assert modes == [0o600] and place.stat().st_mode & 0o777 == 0o600 and place.read_text() == "chap"


def test_answers_go_into_a_pipe_as_they_are(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        preseed.write(pipe, "answers\n")
        assert reader.communicate()[0] == "answers\n"
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def tree(package: str) -> dict[str, str]:
    return {file.path: file.text for file in source.files(package, SITE, TEXT, TOOL)}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_source_tree_has_what_debhelper_needs(package: str) -> None:
    files = tree(package)
    for name in ("changelog", "control", "copyright", "rules", "config", "templates", "postinst", "prerm", "postrm"):
        assert f"/debian/{name}" in files
    assert files["/debian/source/format"] == "3.0 (native)\n"
    assert files["/debian/changelog"].startswith(f"{package} (1.2.3+site1) bookworm; urgency=medium\n")
    assert files["/debian/changelog"].endswith("<nfsha@packages.invalid>  Tue, 14 Nov 2023 22:13:20 +0000\n")
    assert files["/debian/control"].startswith(f"Source: {package}\n")
    assert files[f"/usr/share/{package}/site.toml"] == TEXT
    for path in ("config", "postinst", "prerm", "postrm"):
        assert files[f"/debian/{path}"].startswith("#!/bin/sh\n")
    assert not [path for path in files if not path.startswith(("/usr/", "/debian/"))]


def test_nothing_is_left_unrendered() -> None:
    for package in PACKAGES:
        for path, text in tree(package).items():
            assert "{{" not in text and "{%" not in text, path


def test_a_nodes_package_does_not_go_with_the_others() -> None:
    assert "Conflicts:\n nfsha-client,\n nfsha-iscsi-target,\n" in tree("nfsha-node")["/debian/control"]


def test_an_upgrade_starts_all_anew_that_runs_the_tool_all_the_time() -> None:
    """Those of the units that run nfsha and do not come to an end by themselves, whatever the list says."""
    files = tree("nfsha-node")
    units = {path.rpartition("/")[2]: text for path, text in files.items() if path.endswith(".service")}
    assert len(units) > len(RESIDENT)
    stays = {name for name, text in units.items() if "\nExecStart=/usr/bin/nfsha " in text and "\nType=oneshot\n" not in text}
    assert stays == set(RESIDENT)
    assert f"--no-block try-restart {' '.join(RESIDENT)}\n" in files["/debian/postinst"]


def test_the_version_rises_with_the_revision() -> None:
    later = replace(SITE, cluster=replace(SITE.cluster, revision=12))
    assert source.version(later, TOOL) == "1.2.3+site12"


def test_a_tree_is_written_with_its_modes(tmp_path: Path) -> None:
    source.write(source.files("nfsha-node", SITE, TEXT, TOOL), tmp_path)
    assert (tmp_path / "debian" / "rules").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "usr/libexec/nfsha/notify").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "usr/share/nfsha-node/site.toml").stat().st_mode & 0o777 == 0o644


def test_the_tools_version_is_written_in_one_place_more_only() -> None:
    text = (changelog.CHECKOUT / "debian" / "changelog").read_text(encoding="utf-8")
    assert changelog.parse(text).version == nfsha_config.__version__


def test_a_changelog_without_an_entry_is_refused() -> None:
    with pytest.raises(NfshaError, match="has no entry with version and date"):
        changelog.parse("nothing")


def test_the_time_stamp_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert changelog.release() == Release(nfsha_config.__version__, 1_700_000_000)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(NfshaError, match="SOURCE_DATE_EPOCH = yesterday: is not a Unix time"):
        changelog.release()


@pytest.mark.parametrize(("name", "version"), [("changelog.gz", "1.2.3"), ("changelog.Debian.gz", "1.2.3~stdeb-1")])
def test_an_installed_tool_has_the_version_of_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, version: str
) -> None:
    entry = f"nfsha ({version}) bookworm; urgency=low\n\n  * Entry.\n\n -- A <a@b.invalid>  Tue, 14 Nov 2023 22:13:20 +0000\n"
    (tmp_path / name).write_bytes(gzip.compress(entry.encode()))
    monkeypatch.setattr(changelog, "CHECKOUT", tmp_path)
    monkeypatch.setattr(changelog, "INSTALLED", tuple(tmp_path / place.name for place in changelog.INSTALLED))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert changelog.release() == Release(version, 1_700_000_000)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    assert changelog.release() == Release(version, 1_600_000_000)


def test_the_sources_hold_the_key() -> None:
    armour = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n"
    key = Key(Path("/nowhere"), "AB", armour)
    assert sources.text("http://build.example:8080/", key) == (
        "# Copy to /etc/apt/sources.list.d/ on each machine.\n"
        "Types: deb\n"
        "URIs: http://build.example:8080/\n"
        "Suites: nfsha\n"
        "Components: main\n"
        "Signed-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        " .\n"
        " mQ==\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_a_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for text in ("first", "second"):
        with replaced(out, "mark") as new:
            (new / "mark").write_text(text)
    assert (out / "mark").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_result_leaves_the_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with replaced(out, "mark") as new:
        (new / "mark").write_text("first")
    with pytest.raises(RuntimeError), replaced(out, "mark") as new:
        raise RuntimeError
    assert (out / "mark").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("dear")
    with pytest.raises(Refused, match="holds something that `nfsha build` did not make"), replaced(tmp_path, "mark"):
        pass
    assert (tmp_path / "diary").read_text() == "dear"


def test_other_bytes_under_the_same_version_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "out" / "pool").mkdir(parents=True)
    for name, old, new in (("same.deb", b"1", b"1"), ("other.deb", b"1", b"2")):
        (tmp_path / "out" / "pool" / name).write_bytes(old)
        (tmp_path / name).write_bytes(new)
    build._warn_of_same_version(tmp_path / "out", (tmp_path / "same.deb", tmp_path / "other.deb"))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["other.deb"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "nfsha.sources").write_text("sources")
    (tmp_path / "private").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "private")
    with serve.server(folder, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


def test_the_server_gives_the_repository(served: tuple[str, Path]) -> None:
    assert urllib.request.urlopen(f"{served[0]}/nfsha.sources", timeout=10).read() == b"sources"


@pytest.mark.parametrize("path", ["/../private", "/%2e%2e/private", "/link", "//../private", "/none"])
def test_the_server_gives_nothing_else(served: tuple[str, Path], path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(served[0] + path, timeout=10)
    assert caught.value.code == 404


def test_only_a_repository_is_served(tmp_path: Path) -> None:
    with pytest.raises(NfshaError, match=r"is not a repository, it has no nfsha\.sources"):
        serve.server(tmp_path, "127.0.0.1", 0)
