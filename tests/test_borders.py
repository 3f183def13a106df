"""Borders between include/, plugins/, dags/ and tests/ that import-linter (pyproject.toml) doesn't check."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
OUTSIDE_CODE = {"plugins", "dags", "tests", "bench"}
BLOCKED = """
import importlib, pkgutil, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("airflow", "inpe_backup", "paramiko"):
            raise ImportError(f"include/ must not import {name}")
sys.meta_path.insert(0, Refuse())
import include
names = [module.name for module in pkgutil.walk_packages(include.__path__, "include.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def sources(folder: str) -> list[Path]:
    """Return the Python files below a folder of the project."""
    return sorted(path for path in (PROJECT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Yield the names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} has a relative import, which fails in Airflow"
            yield node.module or ""


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("include", OUTSIDE_CODE),
        ("plugins", OUTSIDE_CODE),
        ("dags", OUTSIDE_CODE),
        ("tests", {"plugins"}),
    ],
)
def test_code_imports_neither_tests_nor_dags_nor_the_folder_plugins(folder: str, forbidden: set[str]) -> None:
    """A class imported from ``plugins.inpe_backup`` would be another one than from ``inpe_backup``."""
    files = sources(folder)
    assert files
    wrong = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in files
        for name in imported(path)
        if name.split(".")[0] in forbidden
    }
    assert wrong == set()


def test_the_agent_imports_only_the_standard_library() -> None:
    """A KVM host has Python, and none of our dependencies."""
    files = sources("include/agent")
    names = {name for path in files for name in imported(path) if not name.startswith("include.agent")}
    assert len(files) > 10
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_include_works_without_airflow() -> None:
    """On any machine with Python, pydantic, Jinja and YAML; import-linter only reads import statements."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len([path for path in sources("include") if path.name != "__init__.py"])


@pytest.mark.parametrize("folder", ["include", "plugins", "tests"])
def test_no_module_has_the_name_of_one_of_the_standard_library(folder: str) -> None:
    """Airflow adds folders to the path, where such a module would replace the standard one."""
    assert {path.stem for path in sources(folder)} & sys.stdlib_module_names <= {"__init__", "conftest"}
