"""The agent's modules, compiled by the first process of a version: others take them, if they are right."""

import io
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from include.remote import zipapps

LOADED_BY = """\
import sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0])
from include.agent.__main__ import main
try:
    main(["--help"])
except SystemExit:
    print(type(sys.modules["include.agent.command_line"].__loader__).__name__, file=sys.stderr)
"""

FAILING = """\
import sys, traceback
sys.path.insert(0, sys.argv[1])
from include.agent import compiled
compiled.use(sys.argv[1])
from include.agent.journal import Journal
try:
    Journal(None).entries()
except AttributeError:
    traceback.print_exc()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The agent's zip file, in a folder of its own."""
    name, content = zipapps.agent()
    path = tmp_path / name
    path.write_bytes(content)
    return path


def compiled(program: Path) -> Path:
    """Return where its compiled modules are."""
    return program.with_suffix(f".{sys.implementation.cache_tag}.compiled")


def run(program: Path) -> str:
    """Run it, and return which class has loaded its command line."""
    command = [sys.executable, "-I", "-c", LOADED_BY, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: " in done.stdout
    return done.stderr.strip()


def changed(content: bytes, name: str, text: str) -> bytes:
    """Return a zip file with something else in one of its files."""
    new = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(new, "w") as after:
        for each in before.namelist():
            after.writestr(each, before.read(each) if each != name else text)
    return new.getvalue()


def test_the_first_process_leaves_what_the_next_one_takes(program: Path) -> None:
    """The next process only reads the file, and doesn't write it again."""
    assert run(program) == "_Importer"
    left = compiled(program).stat()
    assert run(program) == "_Importer"
    found = compiled(program).stat()
    assert (found.st_ino, found.st_mtime_ns) == (left.st_ino, left.st_mtime_ns)
    assert sorted(path.name for path in program.parent.iterdir()) == sorted(
        [program.name, compiled(program).name]
    )


@pytest.mark.parametrize("damage", ["emptied", "cut off", "decayed"])
def test_what_is_damaged_is_compiled_again(program: Path, damage: str) -> None:
    """As after a power cut."""
    run(program)
    right = compiled(program).read_bytes()
    middle = len(right) // 2
    decayed = right[:middle] + bytes([right[middle] ^ 1]) + right[middle + 1 :]
    found = {"emptied": b"", "cut off": right[:middle], "decayed": decayed}[damage]
    compiled(program).write_bytes(found)
    assert run(program) == "_Importer"
    assert len(compiled(program).read_bytes()) == pytest.approx(len(right), rel=0.01)  # marshal's vary a bit
    assert compiled(program).read_bytes() != decayed


def test_what_others_could_have_written_isnt_taken(program: Path) -> None:
    """It is the agent's own, as private as that."""
    run(program)
    kept = compiled(program)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o620)
    run(program)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_those_of_other_versions_are_removed(program: Path) -> None:
    """Nobody else would."""
    other = program.with_name(compiled(program).name.replace("agent-", "agent-of-before-"))
    other.touch()
    run(program)
    assert not other.exists()
    assert compiled(program).exists()


def test_what_is_of_another_file_isnt_taken(program: Path) -> None:
    """Even if that had the same name."""
    run(program)
    program.write_bytes(
        changed(program.read_bytes(), "include/agent/help_texts.py", "raise SystemExit('of the new file')")
    )
    done = subprocess.run([sys.executable, "-I", str(program), "--help"], capture_output=True, check=False)
    assert b"of the new file" in done.stderr


def test_where_nothing_can_be_written_it_works_all_the_same(program: Path) -> None:
    """And leaves nothing half-written."""
    compiled(program).mkdir()
    assert run(program) == "_Importer"
    assert sorted(path.name for path in program.parent.iterdir()) == sorted(
        [program.name, compiled(program).name]
    )


def test_a_traceback_shows_the_lines_of_the_program(program: Path) -> None:
    """The agent sends some to its caller."""
    run(program)
    command = [sys.executable, "-I", "-c", FAILING, str(program)]
    failed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{program}/include/agent/journal.py" in failed.stderr
    assert "self.path.read_text(" in failed.stderr
