"""What nodes leave for each other on the shared state: dataclasses as JSON, also of another version of the program."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TypeVar

Record = TypeVar("Record")


def parse(kind: type[Record], text: str) -> Record | None:
    """One of that dataclass; None where the text is none. A later version may say more than is known here."""
    try:
        said = json.loads(text)
        return kind(**{field.name: said[field.name] for field in fields(kind) if field.name in said})
    except (ValueError, TypeError):
        return None
