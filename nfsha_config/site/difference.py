"""What differs between two sites, setting by setting, and what such a change costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nfsha_config.site import kinds
from nfsha_config.site.model import Site
from nfsha_config.site.settings import BY_KEY, COSTS, SETTINGS, TABLES, Cost, Setting


@dataclass(frozen=True)
class Difference:
    """One setting with two values; None for that of a row that the site has not.

    where is "table.name". A node's row is known by its number, which is the node's number for o2cb and VRRP; an
    export's by its path.
    """

    where: str
    setting: Setting
    before: Any
    after: Any

    @property
    def cost(self) -> Cost:
        """What it costs a cluster that runs."""
        return self.setting.cost

    def __str__(self) -> str:
        return f"{self.where}: {self.text(self.before)} -> {self.text(self.after)}"

    def text(self, value: Any) -> str:
        """A value of this setting for a person."""
        if value is None:
            return "not there"
        return kinds.size_text(value) if self.setting.kind is kinds.SIZE else kinds.text_of(value) or "none"


def differences(before: Site, after: Site) -> tuple[Difference, ...]:
    """All settings that differ, in the order of the table."""
    old, new = dict(_values(before)), dict(_values(after))
    order = [setting.key for setting in SETTINGS]
    places = sorted({**old, **new}, key=lambda place: (order.index(place.key), place.where))
    return tuple(
        Difference(place.where, BY_KEY[place.key], old.get(place), new.get(place))
        for place in places
        if old.get(place) != new.get(place)
    )


def worst(found: tuple[Difference, ...]) -> Cost:
    """The dearest of the costs."""
    return max((one.cost for one in found), key=COSTS.index, default=COSTS[0])


@dataclass(frozen=True)
class _Place:
    where: str
    key: str


def _values(site: Site) -> Iterator[tuple[_Place, Any]]:
    rows: dict[str, Mapping[str, Any]] = {
        "node": {str(node.number): node for node in site.nodes},
        "export": {export.path: export for export in site.exports},
    }
    for setting in SETTINGS:
        if setting.table in TABLES:
            for name, row in rows[setting.table].items():
                yield _Place(f"{setting.table}[{name}].{setting.name}", setting.key), getattr(row, setting.name)
        else:
            yield _Place(setting.key, setting.key), getattr(getattr(site, setting.table), setting.name)
