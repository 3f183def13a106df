"""The agent's file: the same on every machine, named after what is in it, and complete."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from include import agent
from include.machines.shipped import agent_file

PROJECT = Path(__file__).parents[3]
_AGAIN = (
    "import sys; from include.machines.shipped import agent_file; sys.stdout.buffer.write(agent_file()[1])"
)


def test_its_name_carries_its_sha256() -> None:
    """Two versions never have one name."""
    name, content = agent_file()
    assert name == f"agent-{hashlib.sha256(content).hexdigest()[:16]}.pyz"


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    """Whenever, wherever and by whomever it's made: a host that has it needn't be sent it again."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TZ": "America/Sao_Paulo", "PYTHONHASHSEED": "7"}
    made = subprocess.run(
        [sys.executable, "-c", _AGAIN], capture_output=True, cwd=tmp_path, env=environment, check=True
    )
    assert made.stdout == agent_file()[1]


def test_it_holds_the_whole_agent_and_nothing_else() -> None:
    """Every module as it is, and a way in."""
    with zipfile.ZipFile(io.BytesIO(agent_file()[1])) as program:
        assert program.testzip() is None
        names = set(program.namelist())
        modules = {path.name for path in Path(agent.__file__).parent.glob("*.py")}
        assert names == {"__main__.py", *(f"agent/{name}" for name in modules)}
        for name in modules:
            assert program.read(f"agent/{name}") == (PROJECT / "include" / "agent" / name).read_bytes()
