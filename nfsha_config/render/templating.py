"""The strict jinja2 environment: a name that is not there is an error, never an empty string."""

from __future__ import annotations

import functools

import jinja2

from nfsha_config import paths


@functools.cache
def environment() -> jinja2.Environment:
    """Templates of all packages, by their path below the templates' folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.templates()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
