"""A package made anew from its own .deb: of another version, and with more in its maintainer scripts."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from nfsha_lab import process

SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_SECONDS = 120.0


def field(deb: Path, name: str) -> str:
    """A field of a package's control file."""
    return process.run(["dpkg-deb", "--field", deb, name], _SECONDS).strip()


def repack(
    deb: Path,
    folder: Path,
    more: str = "",
    fields: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """A .deb in folder whose version has `more` at its end.

    Fields of the control file are set, and each script of `scripts` begins with the given lines of sh.
    """
    name, version, architecture = (field(deb, field_) for field_ in ("Package", "Version", "Architecture"))
    with tempfile.TemporaryDirectory(dir=folder) as work:
        tree = Path(work) / "tree"
        process.run(["dpkg-deb", "--raw-extract", deb, tree], _SECONDS)
        _set(tree / "DEBIAN" / "control", {"Version": version + more, **(fields or {})})
        for script, lines in (scripts or {}).items():
            _begin(tree / "DEBIAN" / script, lines)
        # As in an archive, without the epoch.
        made = folder / f"{name}_{(version + more).rpartition(':')[2]}_{architecture}.deb"
        process.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, made], _SECONDS)
    return made


def _set(control: Path, fields: Mapping[str, str]) -> None:
    """Set fields of one line each."""
    lines = control.read_text(encoding="utf-8").splitlines()
    at = [number for number, line in enumerate(lines) if line.partition(":")[0] in fields]
    # Lines that go on with the field before begin with a blank.
    gone = {number for start in at for number in _field_lines(lines, start)}
    kept = [line for number, line in enumerate(lines) if number not in gone]
    control.write_text("\n".join([*(f"{key}: {value}" for key, value in fields.items()), *kept, ""]), encoding="utf-8")


def _field_lines(lines: list[str], start: int) -> range:
    end = start + 1
    while end < len(lines) and lines[end].startswith((" ", "\t")):
        end += 1
    return range(start, end)


def _begin(script: Path, lines: str) -> None:
    before = script.read_text(encoding="utf-8") if script.exists() else "#!/bin/sh\nset -e\n"
    first, _, rest = before.partition("\n")
    script.write_text(f"{first}\n{lines}\n{rest}", encoding="utf-8")
    script.chmod(0o755)
