"""Lets the folder be run where it lies (python3 DIR/__main__.py), as a module or as a zipapp."""

import importlib
import sys
from pathlib import Path

if not __package__:
    # The folder itself must not be searched: its module names are free to equal those of other packages.
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    __package__ = folder.name

raise SystemExit(importlib.import_module(f"{__package__}.cli").main())
