"""An apt of the tests' own: no source, package or setting of this machine is in it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Apt:
    """apt's programs with a root of their own in a folder."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, sources: str) -> Apt:
        """A new root that knows of one source, the text of a .sources file."""
        for name in ("etc/sources.list.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "state" / "status").write_text("", encoding="utf-8")
        made = cls(folder)
        made.source(sources)
        return made

    def source(self, text: str) -> None:
        """Write the source anew."""
        (self.folder / "etc" / "sources.list.d" / "nfsha.sources").write_text(text, encoding="utf-8")

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of apt's programs in the root's folder, where downloads go."""
        options = {
            "Dir::Etc": self.folder / "etc", "Dir::State": self.folder / "state", "Dir::Cache": self.folder / "cache",
            "Dir::State::status": self.folder / "state" / "status", "Dir::Etc::trusted": "/dev/null",
            "APT::Architecture": "amd64", "APT::Sandbox::User": "", "Acquire::Languages": "none",
            "Acquire::http::Proxy::127.0.0.1": "DIRECT", "Acquire::http::Proxy::localhost": "DIRECT",
        }  # fmt: skip
        given = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return subprocess.run(
            [program, *given, *words], cwd=self.folder, capture_output=True, text=True, check=False, timeout=300
        )

    def update(self) -> subprocess.CompletedProcess[str]:
        """Fetch the indices; anything that is not right is an error."""
        return self.run("apt-get", "update", "--error-on=any")

    def candidate(self, package: str) -> str:
        """The version of a package that apt would install."""
        lines = self.run("apt-cache", "policy", package).stdout.splitlines()
        return next((line.split()[1] for line in lines if line.strip().startswith("Candidate:")), "")
