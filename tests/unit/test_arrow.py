"""The house rules that a program can hold: who imports whom, how long files and functions are, what no file names."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
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
    "manual": {"manual", "cli", "build", "render", "site"},
    "__main__": {"cli"},
}
"""The import arrow, cli -> build, host -> render -> site. All may use the files beside cli.py, which use no folder."""

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


def wrong(files: list[Path], found: Callable[[Path], set[str]]) -> dict[str, set[str]]:
    """What is found in files and should not be, by file."""
    assert files
    seen = {str(path.relative_to(TOP)): found(path) for path in files}
    return {name: words for name, words in seen.items() if words}


def test_import_arrow() -> None:
    against = wrong(CONFIG_FILES, lambda path: (own_parts(path) & set(LAYERS)) - MAY_IMPORT.get(layer(path), set()))
    assert against == {}


def test_site_needs_little() -> None:
    assert wrong(python_files(f"{PACKAGE}/site"), lambda path: own_parts(path) - {"site", "problems", "paths"}) == {}


def test_the_laboratory_is_not_needed_and_other_modules_are_debians() -> None:
    """A cluster machine has Python, click, jinja2 and tomlkit, nothing else."""
    known = sys.stdlib_module_names | {PACKAGE, "click", "jinja2", "tomlkit"}
    assert wrong(CONFIG_FILES, lambda path: {name.split(".")[0] for name in imported(path)} - known) == {}


def calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}


def test_one_place_runs_programs_and_one_exits() -> None:
    runs = {"subprocess.run", "subprocess.Popen", "subprocess.check_output", "os.system", "os.popen"}
    assert set(wrong(CONFIG_FILES, lambda path: calls(path) & runs)) == {f"{PACKAGE}/run.py"}
    exits = {"sys.exit", "exit", "quit", "os._exit"}
    assert set(wrong(CONFIG_FILES, lambda path: calls(path) & exits)) <= {f"{PACKAGE}/cli.py"}


def test_each_file_says_why_it_is_there() -> None:
    silent = [path for path in ALL_PYTHON if tree_of(path).body and not ast.get_docstring(tree_of(path))]
    assert silent == []


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


def long_functions(path: Path) -> set[str]:
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 >= 50}


def test_functions_are_short() -> None:
    assert wrong(ALL_PYTHON, long_functions) == {}


FORBIDDEN = {
    r"(?<![\w/])(/work/\w|/home/[a-z]+/)": "a path of one machine",
    r"pypi|debian\.org/debian": "the host of a registry",
    r"\b(TODO|FIXME|XXX)\b": "a note to oneself; mend it, or write an issue",
    r"verify=False|\[trusted=yes\]|--allow-unauthenticated": "trust without proof",
    r"\bshell=True\b": "a shell between a program and its arguments",
}
ALLOWED = {
    # The laboratory's own archive of Debian's packages lies inside the image, where nobody can change it.
    "nfsha_lab/recipe.sh": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
    # Debian's own name for its mirrors, of which mmdebstrap knows the security updates' for a stable release only.
    "nfsha_lab/image.py": {r"pypi|debian\.org/debian"},
    "nfsha_lab/archive.py": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
    # Updates that the laboratory itself has just made, by QEMU's own network, which nobody else is in.
    "nfsha_lab/updates.py": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
    # The same for Debian's packages, which apt has verified where they were fetched.
    "nfsha_lab/upgrade.py": {r"verify=False|\[trusted=yes\]|--allow-unauthenticated"},
}


def texts() -> list[Path]:
    folders = ("nfsha_config", "nfsha_lab", "packages", "scripts", "vagrant", "debian", "docs", "tests", ".ci")
    found = [path for folder in folders for path in sorted((TOP / folder).rglob("*")) if path.is_file()]
    return [path for path in [*found, TOP / "README.md", TOP / "Vagrantfile"] if "__pycache__" not in path.parts and path.resolve() != SELF]


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
    found = []
    for path in sorted((TOP / "packages").rglob("*")):
        if not path.is_file() or path.read_bytes()[:2] != b"#!":
            continue
        text = path.read_text(encoding="utf-8")
        first = text.partition("\n")[0]
        if first.endswith("/bash"):
            found.append(f"{path.relative_to(TOP)}: {first}")
        elif path.parent.name == "debian" and path.stem != "rules" and not re.search(r"(?m)^set -[a-z]*e", text):
            found.append(f"{path.relative_to(TOP)}: no set -e")
    assert found == []


def test_linters_are_settled_in_one_place() -> None:
    ruff = tomllib.loads((TOP / "ruff.toml").read_text(encoding="utf-8"))
    assert ruff["line-length"] == 120
    assert "ruff_version=" in (TOP / "scripts" / "lint").read_text(encoding="utf-8")
