"""A result is made aside and moved in place when it is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nfsha_config.problems import Refused


@contextmanager
def replaced(out: Path, mark: str) -> Iterator[Path]:
    """A new folder that takes the place of out when the context ends without an error.

    Raises Refused when out holds something and has no file named mark: it is not an earlier result.
    """
    out = out.absolute()
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / mark).is_file())):
        raise Refused(f"{out}: holds something that `nfsha build` did not make (name an empty or a new folder)")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as aside:
        new = Path(aside) / "new"
        new.mkdir(mode=0o755)
        yield new
        if out.exists():
            os.rename(out, Path(aside) / "old")
        os.rename(new, out)

