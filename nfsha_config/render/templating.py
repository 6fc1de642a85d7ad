"""The strict jinja2 environment: a name that is not there is an error, never an empty string."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from nfsha_config import paths

if TYPE_CHECKING:
    import jinja2


def environment() -> jinja2.Environment:
    """Templates of all packages, by their path below the templates' folder."""
    return environment_of(paths.templates())


@functools.cache
def environment_of(folder: Path) -> jinja2.Environment:
    """Templates by their path below a folder."""
    # Most steps on a machine render nothing, and importing it is a quarter of their time.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
