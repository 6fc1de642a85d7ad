"""The tool's own version and date: the base of the packages' versions, and the one time stamp of a build."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from nfsha_config import __version__
from nfsha_config.problems import NfshaError

CHECKOUT = Path(__file__).resolve().parents[2]
_DOC = Path("/usr/share/doc/python3-nfsha-config")
INSTALLED = (_DOC / "changelog.gz", _DOC / "changelog.Debian.gz")
"""Where dh_installchangelogs puts it: of a native package, and of one with a Debian revision, as stdeb makes it."""


@dataclass(frozen=True)
class Release:
    """A version of the tool and the second it was made, in Unix time."""

    version: str
    epoch: int

    @property
    def date(self) -> str:
        """The date as changelogs and mails write it (RFC 5322), in UTC."""
        return format_datetime(datetime.fromtimestamp(self.epoch, UTC))


def is_checkout() -> bool:
    """Whether this is a checkout of the source, not an installed tool."""
    return (CHECKOUT / "debian" / "changelog").is_file()


def release() -> Release:
    """This tool's version and date.

    SOURCE_DATE_EPOCH goes before the changelog's date (https://reproducible-builds.org/specs/source-date-epoch/).
    Raises NfshaError when neither is there.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None and not re.fullmatch(r"\d{1,11}", given):
        raise NfshaError(f"SOURCE_DATE_EPOCH = {given}: is not a Unix time (unset it, or give whole seconds)")
    try:
        found = parse(_text())
    except OSError as error:
        if given is None:
            raise NfshaError(
                f"{error.filename}: {error.strerror} (the build's date stands there; set SOURCE_DATE_EPOCH instead)"
            ) from error
        return Release(__version__, int(given))
    return found if given is None else replace(found, epoch=int(given))


def parse(text: str) -> Release:
    """The newest entry of a changelog, deb-changelog(5). Raises NfshaError."""
    version = re.match(r"\S+ \(([^)]+)\)", text)
    date = re.search(r"^ -- .*>  (.+)$", text, re.MULTILINE)
    if not version or not date:
        raise NfshaError("debian/changelog: has no entry with version and date (see deb-changelog(5))")
    return Release(version[1], int(parsedate_to_datetime(date[1]).timestamp()))


def _text() -> str:
    if is_checkout():
        return (CHECKOUT / "debian" / "changelog").read_text(encoding="utf-8")
    place = next((path for path in INSTALLED if path.exists()), INSTALLED[0])
    with gzip.open(place, "rt", encoding="utf-8") as file:
        return file.read()
