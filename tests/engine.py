"""A Docker engine of the tests' own: all it keeps lies in one folder, and it ends with the tests."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.problems import CommandFailed
from nfsha_config.run import run

BASE = "debian:bookworm-slim"
_BORROWED = Path(os.environ.get("NFSHA_ENGINE", "/nonexistent"))
"""Where scripts/test unpacked the engine, if it is not installed."""
_MMDEBSTRAP = (
    "mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", "--dpkgopt=force-unsafe-io",
    '--aptopt=Acquire::Languages "none"',
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
)  # fmt: skip
_BASE_SECONDS, _START_SECONDS, _END_SECONDS = 1800.0, 60.0, 60.0


@dataclass(frozen=True)
class Engine:
    """A running engine; nothing else of the machine's, its firewall and its default network included, is touched."""

    folder: Path

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/socket"

    def run(self, *words: str | Path, check: bool = True, timeout: float = 120.0, **variables: str) -> str:
        """Run a client of the engine in docker/; what it printed. Raises CommandFailed."""
        env = {**_environment(), "DOCKER_HOST": self.socket, **variables}
        return run([*words], check=check, env=env, timeout=timeout, cwd=Path(__file__).parents[1] / "docker").stdout


def _environment() -> dict[str, str]:
    """Debian's programs go before those that a user has installed beside them."""
    libraries = sorted(map(str, _BORROWED.glob("usr/lib/*-linux-gnu")))
    places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", f"{_BORROWED}/usr/sbin", f"{_BORROWED}/usr/bin"]
    return {
        "PATH": ":".join(places), "LD_LIBRARY_PATH": ":".join(libraries),
        "PYTHONPATH": f"{_BORROWED}/usr/lib/python3/dist-packages",
    }  # fmt: skip


@contextmanager
def running() -> Iterator[Engine]:
    """An engine that has the base image, until the context ends."""
    base = _base()
    with tempfile.TemporaryDirectory(prefix="nfsha-engine-", dir="/var/tmp") as folder:
        engine = Engine(Path(folder))
        try:
            with _started(engine):
                engine.run("docker", "import", base, BASE)
                yield engine
        finally:
            # dockerd leaves its network name spaces mounted.
            for place in engine.folder.glob("exec/netns/*"):
                run(["umount", place], check=False)


@contextmanager
def _started(engine: Engine) -> Iterator[None]:
    # The images are built in the machine's own network, see Containers: without rules of a firewall a bridge leads nowhere.
    command = [
        "setpriv", "--pdeathsig", "TERM", "dockerd", "--data-root", f"{engine.folder}/data", "--exec-root",
        f"{engine.folder}/exec", "--pidfile", f"{engine.folder}/pid", "--host", engine.socket, "--bridge=none",
        "--iptables=false", "--ip6tables=false", "--ip-forward=false",
    ]  # fmt: skip
    log = engine.folder / "log"
    with log.open("wb") as sink:
        daemon = subprocess.Popen(command, env={**os.environ, **_environment()}, stdout=sink, stderr=sink)
    try:
        _wait(engine, daemon, log)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(_END_SECONDS)
        finally:
            daemon.kill()


def _wait(engine: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            engine.run("docker", "version")
            return
        except CommandFailed:
            if daemon.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"dockerd does not come up:\n{log.read_text(encoding='utf-8')[-3000:]}") from None
            time.sleep(0.5)


def _base() -> Path:
    """The base image as an archive, kept by what it is made of: it comes from Debian's mirror, not from a registry."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nfsha-test"
    key = hashlib.sha256(json.dumps([*_MMDEBSTRAP, "bookworm"]).encode()).hexdigest()[:12]
    final = cache / f"bookworm-slim-{key}.tar"
    if not final.exists():
        cache.mkdir(parents=True, exist_ok=True)
        making = final.with_name(f"{final.name}.{os.getpid()}")
        run([*_MMDEBSTRAP, "bookworm", making], env={"TMPDIR": "/var/tmp"}, timeout=_BASE_SECONDS)
        making.rename(final)
    return final
