"""Packs the workload into one file that runs on a machine with Python and nothing else."""

import shutil
import tempfile
import zipapp
from pathlib import Path

_MAIN = "from workload.cli import main\n\nraise SystemExit(main())\n"


def bundle(target: Path) -> Path:
    """Write the zipapp to `target` and give it back; it runs with `python3 target run ...`."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        source = Path(__file__).resolve().parent
        shutil.copytree(source, stage / "workload", ignore=shutil.ignore_patterns("__pycache__"))
        (stage / "__main__.py").write_text(_MAIN)
        zipapp.create_archive(stage, target, interpreter="/usr/bin/python3")
    return target
