"""What a guest gets on its connection: a folder's files, or another web server's answers, byte for byte."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_lab import webserver

HEAVY = bytes(range(256)) * 8192
ASK = b"GET /%s HTTP/1.1\r\nHost: 10.0.2.100\r\nConnection: close\r\n\r\n"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the host that was asked for, and something heavy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode() + HEAVY)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(link: Path, name: bytes) -> bytes:
    """What a guest gets that asks for a file, as QEMU would start the web server."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    process = subprocess.Popen([sys.executable, webserver.__file__, link], stdin=theirs, stdout=theirs)
    theirs.close()
    with ours, ours.makefile("rb") as answer:
        ours.sendall(ASK % name)
        whole = answer.read()
    assert process.wait(30) == 0
    return whole


def test_a_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file").write_bytes(HEAVY)
    (tmp_path / "www").symlink_to(tmp_path / "served")
    head, _, body = ask(tmp_path / "www", b"file").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == HEAVY


def test_another_web_server_is_passed_on(tmp_path: Path, port: int) -> None:
    (tmp_path / "www").symlink_to(f"http://127.0.0.1:{port}")
    head, _, body = ask(tmp_path / "www", b"any").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert body == b"10.0.2.100" + HEAVY
