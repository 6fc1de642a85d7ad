"""A throw-away machine: this one's file system with the rendered files laid over it, in namespaces of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nfsha_config.render import ManagedFile

_TOP = Path(__file__).resolve().parents[3]
LAY = """
mount -t tmpfs tmpfs "$scratch"
for top in usr etc var srv; do
    mkdir -p "$scratch/$top/upper" "$scratch/$top/work" ${borrowed:+"$borrowed/$top"}
    own=upperdir=$scratch/$top/upper,workdir=$scratch/$top/work
    mount -t overlay -o "lowerdir=${borrowed:+$borrowed/$top:}/$top,$own" overlay "/$top"
done
mount -t tmpfs tmpfs /run
"""
# What the postinsts of the real packages do, for programs that are only borrowed.
_SET_UP = """
mkdir -p /var/lib/nfs /srv
getent passwd statd >/dev/null || echo 'statd:x:120:65534::/var/lib/nfs:/usr/sbin/nologin' >>/etc/passwd
[ -e /etc/nfs.conf ] || cp /usr/share/nfs-common/conffiles/nfs.conf /etc/nfs.conf
"""


def on_machine(files: Iterable[ManagedFile], script: str, *, check: bool = True) -> str:
    """What sh prints (both streams) for script, where the files are in place; all it changes is gone afterwards.

    With check, the script has to succeed; else its exit status is the last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch, tree = Path(folder, "scratch"), Path(folder, "files")
        scratch.mkdir()
        for file in files:
            place = tree / file.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text, encoding="utf-8")
            place.chmod(file.mode)
        tree.mkdir(exist_ok=True)
        line = f'set -eu\n{LAY}{_SET_UP}\ncp -a "$files/." /\ncd /\n' + (script if check else f"set +e\n{script}\necho $?")
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--uts", "sh", "-c", line],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(_TOP),
                "PYTHONDONTWRITEBYTECODE": "1", "scratch": str(scratch), "files": str(tree),
                "borrowed": os.environ.get("NFSHA_BORROWED", ""),
            },
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    assert not check or done.returncode == 0, f"{shlex.quote(script)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def interface(name: str) -> str:
    """The line that makes a network interface of that name."""
    return f"ip link add {shlex.quote(name)} type veth peer name other"


assert os.geteuid() == 0, "namespaces and mounts need root"
