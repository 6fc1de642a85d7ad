"""Serves HTTP on the standard input and output: one process for each connection a guest makes.

QEMU's user network starts it (guestfwd), so no daemon and no port of the host is needed, and a machine restored
from a snapshot finds its repository where it was. What the given symbolic link names now is served: a folder, or a
web server of this host, as http://ADDRESS:PORT.
"""

import http.server
import os
import socket
import socketserver
import sys
import threading
from typing import cast
from urllib.parse import urlsplit


class Handler(http.server.SimpleHTTPRequestHandler):
    """GET and HEAD of files; silent, since the standard error is the connection too."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def relay(guest: socket.socket, address: tuple[str, int]) -> None:
    """Pass the bytes of a connection on to a web server, unchanged both ways, until each side has ended."""
    with socket.create_connection(address, timeout=60.0) as server:
        asking = threading.Thread(target=_pass, args=(guest, server), daemon=True)
        asking.start()
        _pass(server, guest)


def _pass(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(1 << 16):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """webserver.py LINK"""
    connection = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    named = urlsplit(os.readlink(sys.argv[1]))
    if named.scheme == "http" and named.hostname and named.port:
        relay(connection, (named.hostname, named.port))
    else:
        folder = os.path.realpath(sys.argv[1])
        Handler(connection, ("guest", 0), cast(socketserver.BaseServer, None), directory=folder)


if __name__ == "__main__":
    main()
