"""Serves a folder over HTTP on the standard input and output: one process for each connection a guest makes.

QEMU's user network starts it (guestfwd), so no daemon and no port of the host is needed, and a machine restored
from a snapshot finds its repository where it was. It serves whatever folder the given symbolic link names now.
"""

import http.server
import os
import socket
import socketserver
import sys
from typing import cast


class Handler(http.server.SimpleHTTPRequestHandler):
    """GET and HEAD of files; silent, since the standard error is the connection too."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """webserver.py FOLDER"""
    connection = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    Handler(connection, ("guest", 0), cast(socketserver.BaseServer, None), directory=os.path.realpath(sys.argv[1]))


if __name__ == "__main__":
    main()
