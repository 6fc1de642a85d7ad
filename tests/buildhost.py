"""A build host for the pages' commands: a folder that looks like the checkout, and a keyring of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.pages import TOP, edited

_SECONDS = 900
_BUILT_FROM = ("debian", "nfsha_config", "packages", "scripts", "setup.cfg", "setup.py")


class BuildHost:
    """Runs commands in the folder; an alias lasts, as in the reader's shell. own_key: sign with a key of the folder's."""

    def __init__(self, folder: Path, *, own_key: bool = True) -> None:
        self.folder = folder
        self.own = {"XDG_DATA_HOME": str(folder / "data")} if own_key else {}
        self.aliases: list[str] = []
        self.said = ""
        """What the server said that was started last."""
        self.servers: list[subprocess.Popen[str]] = []
        for name in _BUILT_FROM:
            (folder / name).symlink_to(TOP / name)

    @property
    def site(self) -> Path:
        """The reader's site.toml."""
        return self.folder / "site.toml"

    def run(self, command: str) -> str:
        """Run it; all that it prints, on both streams."""
        if command.startswith("alias "):
            self.aliases.append(command)
            return ""
        process = self._start(command)
        if " repo serve " in command:
            self.servers.append(process)
            assert process.stdout is not None
            self.said = process.stdout.readline()
            return self.said
        printed, _ = process.communicate(timeout=_SECONDS)
        assert process.returncode == 0, f"{command}: {process.returncode}\n{printed}"
        return printed

    def _start(self, command: str) -> subprocess.Popen[str]:
        script = "\n".join(["shopt -s expand_aliases", *self.aliases, command])
        # What a user installed beside Debian's modules must not decide.
        env = {**os.environ, **self.own, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            ["bash", "-c", script], cwd=self.folder, env=env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def write_site(self, text: str) -> str:
        """The reader has typed this site."""
        self.site.write_text(text, encoding="utf-8")
        return ""

    def edit_site(self, part: str) -> str:
        """The reader has changed a part of the site."""
        return self.write_site(edited(self.site.read_text(encoding="utf-8"), part))

    def close(self) -> None:
        """End what still serves, and nothing else: each has a process group of its own."""
        for server in self.servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.communicate(timeout=30)
