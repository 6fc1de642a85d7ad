"""A small web server for a repository: enough for a laboratory or a closed network."""

from __future__ import annotations

import functools
import logging
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nfsha_config.build.build import SOURCES
from nfsha_config.problems import NfshaError

log = logging.getLogger(__name__)


class _Handler(SimpleHTTPRequestHandler):
    directory: str
    protocol_version = "HTTP/1.1"
    timeout = 60

    def translate_path(self, path: str) -> str:
        """The file for a path of a request; a link that leads out of the folder leads nowhere."""
        place = Path(super().translate_path(path))
        top = Path(self.directory).resolve()
        if not place.resolve().is_relative_to(top):
            return str(top / ".outside")
        return str(place)

    def log_message(self, format: str, *args: Any) -> None:
        log.info("%s %s", self.address_string(), format % args)


def server(folder: Path, bind: str, port: int) -> ThreadingHTTPServer:
    """A server of the folder, already listening. Raises NfshaError when it is no repository or the port is taken."""
    if not (folder / SOURCES).is_file():
        raise NfshaError(f"{folder}: is not a repository, it has no {SOURCES} (`nfsha build --out {folder}` makes one)")
    try:
        return ThreadingHTTPServer((bind, port), functools.partial(_Handler, directory=str(folder.resolve())))
    except OSError as error:
        raise NfshaError(f"{bind}:{port}: {error.strerror} (take another --bind or --port)") from error
