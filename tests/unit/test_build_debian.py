"""What Debian goes into the repository, how apt is told of it, and what of the build host counts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from nfsha_config import cli
from nfsha_config.build import apt, build, debian
from nfsha_config.problems import InputError, NfshaError


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    place = tmp_path / "keyring.gpg"
    place.write_bytes(b"\x98\x33")
    return place


def of(keyring: Path, **options: str) -> debian.Debian:
    mirrors = {"mirror": "http://deb.test/debian", "security_mirror": "file:/media/security", "architecture": "amd64"}
    return debian.of("bookworm", keyring=keyring, **(mirrors | options))


def test_all_suites_of_an_up_to_date_machine_are_taken_by_debians_keys_alone(keyring: Path) -> None:
    text = of(keyring, components="main,non-free-firmware").sources(Path("/etc/of/its/own.gpg"))
    assert text == (
        "Types: deb\n"
        "URIs: http://deb.test/debian\n"
        "Suites: bookworm bookworm-updates\n"
        "Components: main non-free-firmware\n"
        "Architectures: amd64\n"
        "Signed-By: /etc/of/its/own.gpg\n"
        "\n"
        "Types: deb\n"
        "URIs: copy:/media/security\n"
        "Suites: bookworm-security\n"
        "Components: main non-free-firmware\n"
        "Architectures: amd64\n"
        "Signed-By: /etc/of/its/own.gpg\n"
    )


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        debian.of(
            "Book worm", mirror="foo", security_mirror="http://a b", keyring=tmp_path / "none", architecture="z80",
            components="../x", include="tcpdump,-o",
        )  # fmt: skip
    said = [(problem.where, problem.value) for problem in raised.value.problems]
    assert said == [
        ("--with-dependencies", "Book worm"), ("--mirror", "foo"), ("--security-mirror", "http://a b"),
        ("--keyring", str(tmp_path / "none")), ("--architecture", "z80"), ("--components", "../x"), ("--include", "-o"),
    ]  # fmt: skip


def test_a_build_host_that_knows_no_mirror_asks_for_one(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "host.conf").write_text(f'Dir::Etc "{tmp_path}";\nDir::State::lists "{tmp_path}";\n', encoding="utf-8")
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "host.conf"))
    with pytest.raises(InputError, match=r"--security-mirror: is not named.*name it, or apt-get update first"):
        debian.of("bookworm", "http://deb.test/debian", keyring=keyring)


@pytest.mark.parametrize(("content", "name"), [(b"\x98\x33", "keyring.gpg"), (b"-----BEGIN PGP PUB", "keyring.asc")])
def test_apt_takes_the_hosts_proxy_and_nothing_that_it_trusts(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    keyring.write_bytes(content)
    (tmp_path / "host.conf").write_text(
        'Acquire::http::Proxy "http://proxy.test:3128";\nAcquire::http::Proxy::deb.test "DIRECT";\n'
        'Acquire::Check-Valid-Until "false";\nAcquire::AllowInsecureRepositories "true";\n'
        'APT::Get::AllowUnauthenticated "true";\nAPT::Install-Recommends "false";\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "host.conf"))
    folder = tmp_path / "state of its own"
    for path in ("etc/sources.list.d", "state"):
        (folder / path).mkdir(parents=True)
    apt._configure(of(keyring), folder)
    dump = subprocess.run(
        ["apt-config", "dump"], env={**os.environ, "APT_CONFIG": str(folder / "apt.conf")}, capture_output=True,
        text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert 'Acquire::http::Proxy "http://proxy.test:3128";' in dump
    assert 'Acquire::http::Proxy::deb.test "DIRECT";' in dump
    assert 'APT::Install-Recommends "true";' in dump
    said = "\n".join(dump)
    assert "Check-Valid-Until" not in said and "AllowUnauthenticated" not in said
    assert 'Acquire::AllowInsecureRepositories "0";' in dump
    assert (folder / "etc" / name).read_bytes() == content


def test_a_repository_that_does_not_fit_on_the_disk_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.deb"
    with huge.open("wb") as file:
        file.truncate(15 << 40)
    with pytest.raises(NfshaError, match=r"/out: the repository needs 16492674 MB, and \d+ MB are free"):
        build._look_for_room(tmp_path / "out", (huge,))


def test_options_of_a_release_need_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.nfsha, ["build", "--out", str(tmp_path / "out"), "--security-mirror", "http://x"])
    assert done.exit_code == 2
    assert "--security-mirror is of no use without --with-dependencies" in done.output
