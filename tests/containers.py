"""The repository's containers, brought up from docker/compose.yaml of this checkout in an engine of the tests' own."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from tests.engine import Engine

_COMPOSE = "docker-compose --file compose.yaml --file"
_OVERRIDE = "services:\n  builder: {build: {network: host}}\n  server: {build: {network: host}}\n"
"""The engine has no network of its own that leads to a mirror."""
_DOCKER = """#!/bin/sh
PATH=${{PATH#*:}}
[ "$1" != compose ] || {{ shift; exec {compose} "$@"; }}
exec docker "$@"
"""
"""`docker compose` where docker-compose is what there is; that itself runs docker, the next one in PATH."""
_SECONDS = 1200.0


@dataclass(frozen=True)
class Containers:
    """The builder, which runs once for each build, and the server, at a port of this machine's loopback."""

    engine: Engine
    port: int

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def compose(self, *words: str, site: Path | None = None, check: bool = True, **variables: str) -> str:
        """What docker-compose prints. Raises CommandFailed."""
        if site is not None:
            variables["NFSHA_SITE"] = str(site)
        return self._run(*_COMPOSE.split(), _override(self.engine), *words, check=check, **variables)

    def type(self, command: str, home: Path) -> str:
        """What a shell prints for a line that has `docker compose` in it; Debian 12 has docker-compose instead."""
        return self._run("sh", "-ec", f"PATH={self.engine.folder}/bin:$PATH; {command}", HOME=str(home))

    def _run(self, *words: str | Path, check: bool = True, **variables: str) -> str:
        port = f"127.0.0.1:{self.port}"
        return self.engine.run(*words, check=check, timeout=_SECONDS, NFSHA_PORT=port, **variables)

    def up(self, site: Path | None = None, **variables: str) -> int:
        """What an administrator does first, and after each change; the builder's exit status."""
        self.compose("up", "--detach", "--build", site=site, **variables)
        return int(self.engine.run("docker", "wait", self.name("builder"), timeout=_SECONDS))

    def name(self, service: str) -> str:
        """The id of a service's container, whether it runs or not."""
        wanted = f"label=com.docker.compose.service={service}"
        label = "label=com.docker.compose.oneoff=False"
        return self.engine.run("docker", "ps", "--all", "--quiet", "--filter", wanted, "--filter", label).strip()

    def log(self, service: str = "builder") -> str:
        """All that a service's container has said."""
        return self.compose("logs", "--no-color", service)

    def inspect(self, service: str, template: str) -> str:
        """What the engine knows of a service's container, by a template of Go's."""
        return self.engine.run("docker", "inspect", "--format", template, self.name(service)).strip()

    def open(self, path: str) -> HTTPResponse:
        """The server's answer. Raises urllib.error.HTTPError."""
        response = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.uri + path, timeout=30)
        assert isinstance(response, HTTPResponse)
        return response

    def fetch(self, path: str) -> bytes:
        """A file that the server has. Raises urllib.error.HTTPError."""
        with self.open(path) as response:
            return response.read()


def _override(engine: Engine) -> Path:
    return engine.folder / "override.yaml"


@contextmanager
def containers(engine: Engine) -> Iterator[Containers]:
    """The containers, not yet brought up; gone, with key and repository, when the context ends."""
    _override(engine).write_text(_OVERRIDE, encoding="utf-8")
    docker = engine.folder / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(_DOCKER.format(compose=f"{_COMPOSE} {_override(engine)}"), encoding="utf-8")
    docker.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        made = Containers(engine, free.getsockname()[1])
    try:
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "5")
