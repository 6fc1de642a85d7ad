"""The house rules that a program can hold: who imports whom, how long files and functions are, what no file names."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SELF = Path(__file__).resolve()
PACKAGE = "nfsha_config"
MAY_IMPORT = {
    "site": {"site"},
    "render": {"render", "site"},
    "build": {"build", "render", "site"},
    "host": {"host", "render", "site"},
    "cli": {"build", "host", "render", "site"},
    "__main__": {"cli"},
}
"""The import arrow, cli -> build, host -> render -> site. All may use the files beside cli.py, which use no folder."""

SITE_BASE = {"problems", "paths"}
LAYERS = sorted(MAY_IMPORT)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (TOP / folder).rglob("*.py"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(path: Path) -> str:
    """The folder below the package, or the name of a file beside the folders."""
    return path.relative_to(TOP / PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, each name of `from x import y` as x.y."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = node.level == 0 or path.is_relative_to(TOP / "tests")
            assert whole, f"{path}: write the whole name of {node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_parts(path: Path) -> set[str]:
    """What of our package a file imports: folders, and files beside them."""
    parts = {name.split(".")[1] for name in imported(path) if name.startswith(f"{PACKAGE}.")}
    return {part for part in parts if (TOP / PACKAGE / part).is_dir() or (TOP / PACKAGE / f"{part}.py").is_file()}


CONFIG_FILES = python_files(PACKAGE)
ALL_PYTHON = [*python_files(PACKAGE, "nfsha_lab", "tests"), TOP / "setup.py"]
ids = {"ids": lambda path: str(path.relative_to(TOP))}


@pytest.mark.parametrize("path", CONFIG_FILES, **ids)
def test_import_arrow(path: Path) -> None:
    allowed = MAY_IMPORT.get(layer(path), set())
    assert own_parts(path) & set(LAYERS) <= allowed


@pytest.mark.parametrize("path", python_files(f"{PACKAGE}/site"), **ids)
def test_site_needs_little(path: Path) -> None:
    assert own_parts(path) - {"site"} <= SITE_BASE


@pytest.mark.parametrize("path", CONFIG_FILES, **ids)
def test_the_laboratory_is_not_needed(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] in ("nfsha_lab", "tests", "pytest")]


@pytest.mark.parametrize("path", CONFIG_FILES, **ids)
def test_other_modules_are_debians(path: Path) -> None:
    """A cluster machine has Python, click, jinja2 and tomlkit, nothing else."""
    found = {name.split(".")[0] for name in imported(path)} - {PACKAGE} - sys.stdlib_module_names
    assert found <= {"click", "jinja2", "tomlkit"}


@pytest.mark.parametrize("path", CONFIG_FILES, **ids)
def test_one_place_runs_programs_and_one_exits(path: Path) -> None:
    tree = tree_of(path)
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    name = str(path.relative_to(TOP / PACKAGE))
    if name != "run.py":
        assert not calls & {"subprocess.run", "subprocess.Popen", "subprocess.check_output", "os.system", "os.popen"}
    if name != "cli.py":
        assert not calls & {"sys.exit", "exit", "quit", "os._exit"}


@pytest.mark.parametrize("path", ALL_PYTHON, **ids)
def test_file_says_why_it_is_there(path: Path) -> None:
    if tree_of(path).body:
        assert ast.get_docstring(tree_of(path)), "write a docstring of one line"


def length_of_files() -> Iterator[tuple[str, int]]:
    for path in sorted(TOP.rglob("*")):
        if path.is_file() and is_source(path):
            yield str(path.relative_to(TOP)), len(path.read_text(encoding="utf-8").splitlines())


def is_source(path: Path) -> bool:
    parts = path.relative_to(TOP).parts
    if {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "po"} & {*parts} or parts[0] == "build":
        return False
    return path.suffix in (".py", ".sh", ".j2", ".toml", ".cfg", ".ini") or path.read_bytes()[:2] == b"#!"


def test_files_are_short() -> None:
    assert [f"{name}: {lines} lines" for name, lines in length_of_files() if lines >= 400] == []


@pytest.mark.parametrize("path", ALL_PYTHON, **ids)
def test_functions_are_short(path: Path) -> None:
    tree = tree_of(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in long.items() if lines >= 50} == {}


FORBIDDEN = {
    r"/work/\w|/home/[a-z]+/": "a path of one machine",
    r"pypi|debian\.org/debian": "the host of a registry",
    r"\b(TODO|FIXME|XXX)\b": "a note to oneself; mend it, or write an issue",
    r"verify=False|\[trusted=yes\]|--allow-unauthenticated": "trust without proof",
    r"\bshell=True\b": "a shell between a program and its arguments",
}
ALLOWED = {
    # The laboratory's own archive of Debian's packages lies inside the image, where nobody can change it.
    "nfsha_lab/recipe.sh": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
    "nfsha_lab/archive.py": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
}


def texts() -> list[Path]:
    folders = ("nfsha_config", "nfsha_lab", "packages", "scripts", "debian", "docs", "tests", ".ci")
    found = [path for folder in folders for path in sorted((TOP / folder).rglob("*")) if path.is_file()]
    return [path for path in [*found, TOP / "README.md"] if "__pycache__" not in path.parts and path.resolve() != SELF]


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=FORBIDDEN.values())
def test_no_file_names(pattern: str) -> None:
    seen = []
    for path in texts():
        name = str(path.relative_to(TOP))
        if pattern in ALLOWED.get(name, ()):
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            seen.append(f"{name}:{line}: {match[0]}")
    assert seen == []


def test_maintainer_scripts_are_sh_and_stop_at_errors() -> None:
    """Debian Policy, 10.4; what runs on a cluster machine is sh too."""
    wrong = []
    for path in sorted((TOP / "packages").rglob("*")):
        if not path.is_file() or path.read_bytes()[:2] != b"#!":
            continue
        text = path.read_text(encoding="utf-8")
        first = text.partition("\n")[0]
        if first.endswith("/bash"):
            wrong.append(f"{path.relative_to(TOP)}: {first}")
        elif path.parent.name == "debian" and path.stem != "rules" and not re.search(r"(?m)^set -[a-z]*e", text):
            wrong.append(f"{path.relative_to(TOP)}: no set -e")
    assert wrong == []


def test_linters_are_settled_in_one_place() -> None:
    ruff = tomllib.loads((TOP / "ruff.toml").read_text(encoding="utf-8"))
    assert ruff["line-length"] == 120
    assert "ruff_version=" in (TOP / "scripts" / "lint").read_text(encoding="utf-8")
