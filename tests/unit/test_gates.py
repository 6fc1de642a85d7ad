"""docs/reference/gates.md names tests that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_each_gate_names_a_test_that_is_there() -> None:
    text = (TOP / "docs/reference/gates.md").read_text(encoding="utf-8")
    gates = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| gate |", "|---"))]
    assert gates
    named: set[str] = set()
    for gate in gates:
        found = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", gate.split("|")[-2])
        assert found, gate
        for file, test in found:
            text = (TOP / file).read_text(encoding="utf-8")
            assert f"def {test}(" in text if test else "def test_" in text, (file, test)
            # A gate that scripts/test leaves out says so.
            if file.startswith(("tests/packages", "tests/cluster")):
                assert ("*long*" in gate.split("|")[1]) is _is_long(text, test), gate
            named.add(f"{file}::{test}" if test and file.startswith("tests/cluster") else file)
    # All that is seen of packages and machines stands there.
    assert [one for one in _seen() if one not in named and one.partition("::")[0] not in named] == []


def _seen() -> Iterator[str]:
    """Each test of packages and machines; of the packages', some tell more than a gate does, and their file counts."""
    for path in sorted((TOP / "tests" / "packages").glob("test_*.py")):
        yield str(path.relative_to(TOP))
    for path in sorted((TOP / "tests" / "cluster").glob("test_*.py")):
        for test in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{path.relative_to(TOP)}::{test}"


def _is_long(text: str, test: str) -> bool:
    """Whether all of a file's tests, or this one, are among the long ones."""
    mark = r"pytest\.mark\.long"
    whole = re.search(rf"^pytestmark = .*{mark}", text, re.MULTILINE) is not None
    return whole or re.search(rf"^@{mark}\n(?:@.*\n)*def {test}\(", text, re.MULTILINE) is not None
