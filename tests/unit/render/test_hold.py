"""The lock is taken on the one file that all nodes know, by the way that is open already or by the other one."""

from __future__ import annotations

import pytest

from tests.golden.sites import rendered

from .machine import on_machine

_LOCK = "/var/lib/nfs/nfsha/active.lock"
# Each in a group of its own, which ends with the script.
_APART = "setsid sh -c 'echo $$ >>/run/groups; exec \"$0\"' /usr/libexec/nfsha/{program} >/dev/null 2>&1"
_BEGIN = f"""
trap 'for group in $(cat /run/groups); do kill -- "-$group" || :; done' EXIT
mkdir -p {_LOCK.rpartition("/")[0]} /run/nfsha
: >/run/groups
"""
_OPEN = f"""
{_APART.format(program="open-lock")} &
until [ -e /run/nfsha/lock ]; do sleep 0.1; done
"""
_HOLD = f"""
{_APART.format(program="hold")}
cat /run/nfsha/held
"""
_ASK = f"flock --nonblock {_LOCK} true && echo free || echo held"


def test_the_lock_is_free_while_its_file_is_open() -> None:
    assert on_machine(rendered("lab", "nfs1"), _BEGIN + _OPEN + _ASK) == "free\n"


def test_the_lock_is_taken_without_a_look_at_the_directories() -> None:
    """Another, empty directory lies over theirs meanwhile."""
    away = "mount -t tmpfs tmpfs /var/lib/nfs/nfsha\n"
    back = "umount /var/lib/nfs/nfsha\n"
    assert on_machine(rendered("lab", "nfs1"), _BEGIN + _OPEN + away + _HOLD + back + _ASK) == "held\n"


@pytest.mark.parametrize(
    "before",
    [
        "",
        "ln -s /proc/1/fd/99 /run/nfsha/lock\n",
        f"{_OPEN}rm {_LOCK}\n",
        "exec 7>>/run/other\nln -s /proc/$$/fd/7 /run/nfsha/lock\n",
    ],
    ids=["nothing", "an end", "a file that is gone", "another file"],
)
def test_the_lock_is_taken_by_its_name_where_nothing_better_is_open(before: str) -> None:
    assert on_machine(rendered("lab", "nfs1"), _BEGIN + before + _HOLD + _ASK) == "held\n"
