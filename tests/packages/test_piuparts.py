"""Each package comes, is upgraded, goes and is purged where neither systemd nor a target runs, and leaves nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nfsha_config.build import preseed
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets
from tests.packages import chroot
from tests.packages.conftest import TOOL, Built, in_chroot, served

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
# Links of Debian 13's systemd to files that an admin may make.
DANGLING = ("/etc/vconsole.conf", "/etc/default/locale")
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")


def foreign(debs: list[Path]) -> str:
    """What packages depend on, without one another: it is in the chroot from the start, and must be as it was."""
    fields = [
        subprocess.run(["dpkg-deb", "--field", deb, "Depends"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for deb in debs
    ]
    relations = {relation.strip() for field in fields for relation in field.split(",")}
    return ", ".join(sorted(relation for relation in relations if not relation.startswith(TOOL)))


def answers(host: str) -> str:
    """A script for piuparts that preseeds what the host's package asks, before each of its tests."""
    text = preseed.text(host, SITE, CHAP, format_lun=host == "nfs1")
    return f"#!/bin/sh\ndebconf-set-selections <<'END'\n{text}END\n"


@pytest.mark.parametrize(
    ("package", "host"),
    [(TOOL, ""), ("nfsha-node", "nfs1"), ("nfsha-iscsi-target", "target"), ("nfsha-client", "client")],
)
def test_piuparts_finds_nothing(
    built: Built, earlier: Path, release: str, tmp_path: Path, package: str, host: str
) -> None:
    debs = [built.debs[name] for name in sorted({TOOL, package})]
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    if host:
        script = scripts / "pre_test_answers"
        script.write_text(answers(host), encoding="utf-8")
        script.chmod(0o755)
    log = tmp_path / "log"
    with chroot.unpacked(chroot.Recipe(relations=foreign(debs), release=release)) as root, served(earlier) as uri:
        in_chroot(root, earlier, uri)
        done = subprocess.run(
            [
                # A node's name must be the machine's.
                *chroot.AS_ROOT, "unshare", "--uts", "sh", "-ec", 'hostname "$1" && shift && exec "$@"', "sh", host or "tool",
                "piuparts", "--existing-chroot", root.folder, "--hard-link", "--keep-sources-list",
                "--distribution", release, "--no-eatmydata", "--fail-on-broken-symlinks", "--fail-if-inadequate",
                *(f"--ignore={path}" for path in DANGLING),
                "--tmpdir", root.folder.parent, "--scriptsdir", scripts, "--log-file", log, *debs,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    text = log.read_text(encoding="utf-8", errors="replace")
    findings = "\n".join(re.findall(r"^.*(?: ERROR| WARN|is installed, but not set up).*(?:\n {2}.*)*", text, re.MULTILINE))
    assert (done.returncode, findings) == (0, ""), text[-6000:]
    # The upgrade began with the earlier packages, not with none.
    assert re.search(rf"Unpacking {package} \(0\.1\.0\S*\) over \(0\.0\.1", text)
    assert CHAP.node not in text and CHAP.target not in text
