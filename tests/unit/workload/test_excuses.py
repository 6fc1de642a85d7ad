"""Which failures of a name operation a takeover explains."""

from __future__ import annotations

import pytest

from nfsha_lab.workload.history import Operation
from nfsha_lab.workload.names import expect, is_excused


def _operation(kind: str, error: str | None, to: str | None = None) -> Operation:
    fields = dict.fromkeys(Operation.__dataclass_fields__)
    return Operation(**{**fields, "kind": kind, "error": error, "name": "a", "to": to})  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "error", "excused"), [
    ("link", "ENOENT", True), ("link", "EEXIST", True), ("link", "EIO", False), ("open", "ENOENT", False),
    ("create", "ENOENT", False), ("rename", "ENOENT", True), ("unlink", None, False),
])  # fmt: skip
def test_what_is_excused(kind: str, error: str | None, excused: bool) -> None:
    assert is_excused(_operation(kind, error, "b")) is excused


def test_a_link_that_came_too_early_promises_no_name() -> None:
    assert "b" not in expect([_operation("link", "ENOENT", "b")]).present
