"""A machine that the real dpkg, debconf and nfsha work on: this one, with all that they write in a layer above it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.unit.render.machine import LAY

_STAY = """
hostname "$name"
# Not of interest here, and slow.
rm -f /var/lib/man-db/auto-update
rm -rf /etc/nfsha /var/lib/nfsha
echo up
exec cat
"""
_ENTER = ("--mount", "--net", "--uts")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """Up while it is entered; systemd does not run on it. Dependencies of packages are not installed."""

    def __init__(self, folder: Path, name: str = "nfs1") -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir(parents=True)
        self.name = name

    def __enter__(self) -> Machine:
        self.holder = subprocess.Popen(
            ["unshare", *_ENTER, "sh", "-c", f"set -eu\n{LAY}{_STAY}"],
            env={
                "PATH": _PATH, "scratch": str(self.scratch), "borrowed": os.environ.get("NFSHA_BORROWED", ""),
                "name": self.name,
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == "up\n", "the namespaces could not be set up"
        return self

    def __exit__(self, *_: object) -> None:
        self.holder.communicate()

    def command(self, *argv: str | Path, **env: str) -> list[str]:
        """What runs argv on the machine, whatever runs it; a variable of env that is "" is left out."""
        given = {"PATH": _PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", **env}
        words = [f"{key}={value}" for key, value in given.items() if value]
        enter = ["nsenter", f"--target={self.holder.pid}", *_ENTER, "--wd=/"]
        return [*enter, "env", "-i", *words, *(str(word) for word in argv)]

    def run(self, *argv: str | Path, stdin: str = "", check: bool = True, **env: str) -> str:
        """Run a program to its end; its output, both streams."""
        done = subprocess.run(
            self.command(*argv, **env), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def install(self, *debs: Path, **env: str) -> str:
        """As apt does: questions first, then dpkg."""
        return self.run("sh", "-c", INSTALL, "sh", *debs, **env)

    def read(self, path: str) -> str:
        """The text of a file, "" where there is none."""
        return self.run("sh", "-c", '[ ! -e "$1" ] || cat "$1"', "sh", path)

    def files(self, *places: str) -> dict[str, str]:
        """Every file below the places, with its mode, owner, time of change and checksum."""
        lines = self.run(
            "find", *places, "-type", "f", "-printf", "%p %m %u %T@ ", "-exec", "sh", "-c", 'cksum <"$1"', "sh", "{}", ";"
        ).splitlines()
        return {line.partition(" ")[0]: line for line in lines}

    def asked(self, package: str) -> str:
        """What debconf remembers of a package: its part of the database, the passwords too."""
        dats = ("/var/cache/debconf/config.dat", "/var/cache/debconf/passwords.dat")
        stanzas = "\n\n".join(self.read(dat) for dat in dats).split("\n\n")
        return "\n\n".join(sorted(stanza for stanza in stanzas if stanza.startswith(f"Name: {package}/")))

    def holding(self, text: str, *places: str) -> list[str]:
        """The files below the places that hold a text."""
        return self.run("grep", "-rslF", "--", text, *places, check=False).split()


INSTALL = 'dpkg-preconfigure "$@" && dpkg --force-depends --install "$@"'
"""A program of sh for packages' files; dpkg only warns of the dependencies."""
