"""What the laboratory needs of the host is installed by apt, and said so, before anything else is tried."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from nfsha_lab.errors import LabError

# Debian package -> a program only it has (or, for Python, "module:NAME").
PACKAGES: Mapping[str, str] = {
    "python3-click": "module:click",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "mmdebstrap": "mmdebstrap",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "e2fsprogs": "mke2fs",
    "openssh-client": "ssh-keygen",
    # To build the packages; the list is scripts/build-needs.
    "build-essential": "/usr/share/build-essential/list",
    "debhelper": "dh",
    "dh-python": "dh_python3",
    "dpkg-dev": "dpkg-buildpackage",
    "gnupg": "gpg",
    "po-debconf": "debconf-updatepo",
    "python3-all": "/usr/share/doc/python3-all/copyright",
    "python3-jinja2": "module:jinja2",
    "python3-setuptools": "module:setuptools",
    "python3-tomlkit": "module:tomlkit",
    "reprepro": "reprepro",
}
# mmdebstrap of an ordinary user maps user ids with it.
USER_PACKAGES: Mapping[str, str] = {"uidmap": "newuidmap"}

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _there(proof: str) -> bool:
    if proof.startswith("module:"):
        return importlib.util.find_spec(proof.removeprefix("module:")) is not None
    if proof.startswith("/"):
        return Path(proof).exists()
    return shutil.which(proof, path=SEARCH_PATH) is not None


def missing() -> list[str]:
    """The Debian packages this host lacks, in alphabetical order."""
    needed = dict(PACKAGES) if os.geteuid() == 0 else {**PACKAGES, **USER_PACKAGES}
    return sorted(package for package, proof in needed.items() if not _there(proof))


def ensure() -> None:
    """Install what is missing, as root or by sudo; LabError with the command to run by hand if that fails."""
    packages = missing()
    if not packages:
        return
    become = [] if os.geteuid() == 0 else ["sudo"]
    install = [*become, "apt-get", "install", "--yes", "--no-install-recommends", *packages]
    by_hand = "apt-get install " + " ".join(packages)
    if become and not shutil.which("sudo"):
        raise LabError(f"this host lacks {', '.join(packages)}; run as root: {by_hand}")
    print(f"This host lacks {', '.join(packages)}: installing with {' '.join(install)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([*become, "apt-get", "update", "--quiet"], install):
        if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
            raise LabError(f"{' '.join(command)} failed; run as root: {by_hand}")
    still = missing()
    if still:
        raise LabError(f"still missing after installation: {', '.join(still)}")
