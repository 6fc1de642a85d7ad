"""Writes the manual pages into a folder: python3 -m nfsha_config.manual FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from nfsha_config.manual import pages

for name, text in pages.pages().items():
    (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
