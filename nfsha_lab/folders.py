"""Where the laboratory keeps what it makes: images and snapshots in a cache, running machines below it."""

import os
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent

# sizeof(sun_path) in unix(7), less the ending zero.
SOCKET_PATH_MAX = 107


@dataclass(frozen=True)
class Folders:
    """The folders of one laboratory: `cache` is shared by all, `run` belongs to the one called `name`."""

    cache: Path
    name: str

    @classmethod
    def of_environment(cls, name: str | None = None) -> "Folders":
        """From NFSHA_LAB_CACHE and NFSHA_LAB_NAME, or ~/.cache/nfsha-lab and "lab"."""
        cache = os.environ.get("NFSHA_LAB_CACHE")
        return cls(
            cache=Path(cache).absolute() if cache else Path.home() / ".cache" / "nfsha-lab",
            name=name or os.environ.get("NFSHA_LAB_NAME") or "lab",
        )

    @property
    def images(self) -> Path:
        return self.cache / "images"

    @property
    def kept(self) -> Path:
        return self.cache / "kept"

    @property
    def run(self) -> Path:
        return self.cache / "run" / self.name

    def make(self) -> None:
        """Create the folders, closed to others: the run folder holds control sockets of whole machines."""
        for folder in (self.cache, self.images, self.kept, self.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def socket_path(path: Path) -> Path:
    """The path as it is, or LabError if no unix socket can have it."""
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise LabError(
            f"{path}: too long for a unix socket ({SOCKET_PATH_MAX} bytes at most); "
            "set NFSHA_LAB_CACHE to a folder with a shorter name"
        )
    return path
