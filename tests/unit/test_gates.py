"""docs/reference/gates.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_each_gate_names_a_test_that_is_there() -> None:
    text = (TOP / "docs/reference/gates.md").read_text(encoding="utf-8")
    gates = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| gate |", "|---"))]
    assert gates
    for gate in gates:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", gate.split("|")[-2])
        assert named, gate
        for file, test in named:
            assert f"def {test or 'test_'}" in (TOP / file).read_text(encoding="utf-8"), (file, test)
