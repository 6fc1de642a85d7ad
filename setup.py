"""The shim that pybuild and stdeb need; setup.cfg has the metadata, but can't list a tree of data files."""

from pathlib import Path

from setuptools import setup

folders = sorted({file.parent for file in Path("packages").rglob("*") if file.is_file()})
setup(
    data_files=[
        (f"share/nfsha/{folder}", sorted(str(file) for file in folder.iterdir() if file.is_file()))
        for folder in folders
    ]
)
