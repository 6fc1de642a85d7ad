"""One file as nfsha wants it on a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Owned(Enum):
    """Who brings the file, and so who takes it away."""

    PACKAGE = "in the .deb, below /usr; dpkg owns it"
    CONFIGURE = "written by `nfsha configure` into a drop-in folder, or as a unit of our own"
    UCF = "written by `nfsha configure` through ucf(1), in the place of a file that no package ships"
    SECRET = "holds secrets: mode 0600, written by the program that needs it, at the time it does"


@dataclass(frozen=True)
class ManagedFile:
    """A path on the machine, its whole text, its permissions, and who owns it."""

    path: str
    text: str = field(repr=False)
    mode: int
    owned: Owned
