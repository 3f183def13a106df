"""The programs for hosts: the same file on every machine, with its checksum in its name, and complete."""

import ast
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from include.days.source import source_program
from include.remote.zipapps import Zipapp, agent
from include.restore.target import target_program

PROJECT = Path(__file__).parents[3]
_AGAIN = "import sys; from include.remote.zipapps import agent; sys.stdout.buffer.write(agent().content)"


def test_the_agents_name_has_its_checksum() -> None:
    """Two versions never have the same name."""
    name, content = agent()
    assert name == f"agent-{hashlib.sha256(content).hexdigest()[:16]}.pyz"


def test_the_agent_is_the_same_file_on_every_machine(tmp_path: Path) -> None:
    """So a host that has it needs no new one."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TZ": "America/Sao_Paulo", "PYTHONHASHSEED": "7"}
    made = subprocess.run(
        [sys.executable, "-c", _AGAIN], capture_output=True, cwd=tmp_path, env=environment, check=True
    )
    assert made.stdout == agent().content


def test_the_file_has_all_modules_of_the_agent_and_no_others() -> None:
    """Unchanged, and a ``__main__``."""
    with zipfile.ZipFile(io.BytesIO(agent().content)) as program:
        assert program.testzip() is None
        names = set(program.namelist())
        modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "include" / "agent").rglob("*.py")}
        assert names == {"__main__.py", "include/__init__.py", *modules}
        for name in modules:
            assert program.read(name) == (PROJECT / name).read_bytes()


@pytest.mark.parametrize(
    "program", [agent(), source_program(), target_program()], ids=lambda program: program.name
)
def test_a_program_runs_under_python_3_8_with_nothing_installed(program: Zipapp) -> None:
    """Its grammar is that of 3.8, and it imports only the standard library and its own modules."""
    with zipfile.ZipFile(io.BytesIO(program.content)) as archive:
        sources = {name: archive.read(name) for name in archive.namelist()}
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sources}
    for name, source in sources.items():
        tree = ast.parse(source, name, feature_version=(3, 8))
        imports = (node.names for node in ast.walk(tree) if isinstance(node, ast.Import))
        imported = {alias.name for names in imports for alias in names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {module.split(".")[0] for module in imported - modules} <= sys.stdlib_module_names, name
        assert not _generics(tree), f"{name}: set[str]() and the like came with Python 3.9"
        assert not _unions(tree), f"{name}: the | of types came with Python 3.10"


def _generics(tree: ast.Module) -> list[int]:
    """Return the lines that subscript a built-in type outside of annotations."""
    types = {"dict", "frozenset", "list", "set", "tuple", "type"}
    subscripts = [node for node in _evaluated(tree) if isinstance(node, ast.Subscript)]
    return [node.lineno for node in subscripts if isinstance(node.value, ast.Name) and node.value.id in types]


def _unions(tree: ast.Module) -> list[int]:
    """Return the lines that join types by | outside of annotations."""
    ors = [
        node for node in _evaluated(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    ]
    return [node.lineno for node in ors if _is_type(node.left) or _is_type(node.right)]


def _evaluated(tree: ast.Module) -> list[ast.AST]:
    """Return what is evaluated: all but annotations."""
    nodes = list(ast.walk(tree))
    annotations = [getattr(node, key, None) for node in nodes for key in ("annotation", "returns")]
    unread = {id(node) for annotation in annotations if annotation for node in ast.walk(annotation)}
    return [node for node in nodes if id(node) not in unread]


def _is_type(operand: ast.expr) -> bool:
    """Return whether an operand is a type by its looks: ``None``, ``Line`` or ``Iterable[Line]``."""
    name = operand.value if isinstance(operand, ast.Subscript) else operand
    if isinstance(name, ast.Constant):
        return name.value is None
    return isinstance(name, ast.Name) and name.id[:1].isupper() and not name.id.isupper()
