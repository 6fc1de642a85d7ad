"""What Vagrant takes from the Vagrantfile, said by Vagrant's own loader."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]


def environment(home: Path) -> dict[str, str]:
    """The variables under which Vagrant leaves nothing outside of home."""
    return {**os.environ, "VAGRANT_HOME": str(home), "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}


def machines(home: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """By provider, and by name, what a machine is made of; see vagrantfile.rb."""
    program = Path(__file__).with_suffix(".rb")
    done = subprocess.run(
        ["/usr/bin/ruby", program, TOP], env=environment(home), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(done.stdout)
    return found
