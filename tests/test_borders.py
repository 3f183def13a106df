"""The borders between the rooms: dags, then plugins, then include; never the other way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ABOVE_INCLUDE = {"airflow", "inpe_backup", "plugins", "dags", "tests", "bench"}
ABOVE_PLUGINS = {"plugins", "dags", "tests", "bench"}
AGENT = PROJECT / "include" / "agent"
BLOCKED = """
import importlib, pkgutil, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("airflow", "inpe_backup", "paramiko"):
            raise ImportError(f"{name} is not for include/")
sys.meta_path.insert(0, Refuse())
import include
names = [module.name for module in pkgutil.walk_packages(include.__path__, "include.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def sources(room: str) -> list[Path]:
    """Give the Python files of a room."""
    return sorted(path for path in (PROJECT / room).rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Give the names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            in_agent = AGENT in path.parents  # one program, wherever its file lies
            assert node.level == 0 or in_agent, f"{path}:{node.lineno} imports relatively, as Airflow can't"
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize(
    ("room", "above"),
    [("include", ABOVE_INCLUDE), ("plugins", ABOVE_PLUGINS), ("dags", ABOVE_PLUGINS), ("tests", {"plugins"})],
)
def test_imports_run_one_way(room: str, above: set[str]) -> None:
    """And nobody says ``plugins.``: a second copy of a class is another class."""
    files = sources(room)
    assert files
    wrong = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in files
        for name in imported(path)
        if name.split(".")[0] in above
    }
    assert wrong == set()


def test_the_agent_is_one_program_of_the_standard_library() -> None:
    """A KVM host has Python, and nothing of ours."""
    agents = [path for path in sources("include") if AGENT in path.parents]
    names = {name.split(".")[0] for path in agents for name in imported(path) if name[0] != "."}
    assert len(agents) > 10
    assert names <= sys.stdlib_module_names


def test_include_works_where_airflow_isnt_installed() -> None:
    """All of it, on any machine with Python, pydantic, Jinja and YAML."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len([path for path in sources("include") if path.name != "__init__.py"])


@pytest.mark.parametrize("room", ["include", "plugins", "tests"])
def test_no_module_has_a_name_of_the_standard_library(room: str) -> None:
    """Airflow puts folders on the path by which such a name replaces the other."""
    assert {path.stem for path in sources(room)} & sys.stdlib_module_names <= {"__init__", "conftest"}
