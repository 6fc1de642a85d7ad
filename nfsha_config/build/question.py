"""What a site package asks by debconf: made from the settings table, never written twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nfsha_config.render import PACKAGES
from nfsha_config.site import kinds
from nfsha_config.site.model import Site
from nfsha_config.site.settings import REQUIRED, SETTINGS, Priority, Setting

TARGET, NODE, CLIENT = PACKAGES
_CLIENT_KEYS = ("network.virtual_address", "client.mount_point")
_SECRETS = {
    "node": ("CHAP secret of the nodes:", "The nodes prove themselves to the target with this secret."),
    "target": ("CHAP secret of the target:", "The target proves itself to the nodes with this secret."),
}


@dataclass(frozen=True)
class Question:
    """One debconf template with the priority at which it is asked, debconf-devel(7).

    key is the site's setting that the answer sets, None for a question about this machine alone; absent is the value of
    a site that does not say it. short and long are translated, and so are choices that are words: no value of a site
    stands in them.
    """

    name: str
    kind: Literal["string", "select", "boolean", "password"]
    priority: Priority
    short: str
    long: tuple[str, ...]
    default: str = ""
    choices: tuple[str, ...] = ()
    words: bool = False
    key: str | None = None
    absent: str = ""


def settings_asked(package: str) -> tuple[Setting, ...]:
    """The settings that a package asks for."""
    if package == TARGET:
        return ()
    asked = [setting for setting in SETTINGS if setting.asked]
    return tuple(setting for setting in asked if package == NODE or setting.key in _CLIENT_KEYS)


def questions(package: str, site: Site) -> tuple[Question, ...]:
    """All questions of a package, in the order in which they are asked."""
    return (
        *(_node(package, site) if package == NODE else ()),
        *(_secrets(package) if package != CLIENT else ()),
        *(_setting(package, setting, site) for setting in settings_asked(package)),
        *(_format(package) if package == NODE else ()),
    )


def _setting(package: str, setting: Setting, site: Site) -> Question:
    assert setting.asked is not None
    default = kinds.text_of(getattr(getattr(site, setting.table), setting.name))
    return Question(
        name=f"{package}/{setting.question}",
        kind="select" if setting.kind.choices else "string",
        priority=setting.asked,
        short=setting.prompt,
        long=(setting.help, *([setting.why] if setting.why else [])),
        default=default,
        choices=setting.kind.choices,
        words=bool(setting.kind.choices),
        key=setting.key,
        # Without one that is required it is no site, and this only asks.
        absent=default if setting.default is REQUIRED else kinds.text_of(setting.kind.read(setting.default)),
    )


def _node(package: str, site: Site) -> Iterator[Question]:
    yield Question(
        name=f"{package}/node", kind="select", priority="high", short="Name of this node:",
        long=("It must be what the command \"hostname\" prints, because OCFS2 finds its own node by it.",),
        choices=tuple(node.name for node in site.nodes),
    )  # fmt: skip


def _secrets(package: str) -> Iterator[Question]:
    for name, (short, purpose) in _SECRETS.items():
        yield Question(
            name=f"{package}/secret-{name}", kind="password", priority="high", short=short,
            long=(
                f"{purpose} It stands as \"{name}\" in the file that the command \"nfsha secrets init\" made, and is "
                "the same on the target and on all nodes.",
                "It is kept in /etc/nfsha/secrets, which only root can read, and not in the debconf database.",
            ),
        )  # fmt: skip


def _format(package: str) -> Iterator[Question]:
    yield Question(
        name=f"{package}/format", kind="boolean", priority="high", default="false",
        short="Partition and format the shared LUN?",
        long=(
            "The device is ${device}.",
            "With this consent the node gives it a partition table and two OCFS2 file systems, once, and only if "
            "nothing at all is found on it. A LUN that holds anything is left as it is in any case.",
        ),
    )  # fmt: skip
