"""The agent's command line, as it's shipped: for programs, and for a person at a terminal."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.agent import errors
from include.agent.folder import State, held, write_json
from include.machines.shipped import agent_file
from tests.include.agent.serving import UUID

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's file, somewhere."""
    name, content = agent_file()
    path = tmp_path_factory.mktemp("agent") / name
    path.write_bytes(content)
    return path


def call(
    program: Path, *words: str, stdin: str = "", folder: str = "/"
) -> "subprocess.CompletedProcess[str]":
    """Run it, with nothing of ours on its path."""
    command = [sys.executable, "-I", str(program), "--uri=test:///default", *words]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, cwd=folder, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "words", [["--help"], *([name, "--help"] for name in ("freeze", "release", "serve"))]
)
def test_it_tells_what_it_does(program: Path, words: list[str]) -> None:
    """On standard output, and that's no error."""
    done = call(program, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: agent" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 120


def test_its_help_has_every_exit_status(program: Path) -> None:
    """As its errors have them; processes of its own aren't shown."""
    told = call(program, "--help").stdout
    statuses = {kind.status for kind in errors.AgentError.__subclasses__()}
    assert statuses == set(range(2, 11))
    assert all(f"\n  {status}  " in told for status in statuses)
    assert "work" not in told.split("COMMAND")[1].split("exit status")[0].replace("at work", "").split()


@pytest.mark.parametrize("words", [[], ["fly"], ["freeze"], ["--state"], ["release", UUID, "--nonsense"]])
def test_what_it_cant_understand_is_status_2(program: Path, words: list[str]) -> None:
    """With how it's called, on standard error."""
    done = call(program, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: agent" in done.stderr


@pytest.mark.parametrize("stdin", ["{", "[]", "\xff", '"x"', "17"])
def test_a_request_that_is_no_object_is_status_2(program: Path, tmp_path: Path, stdin: str) -> None:
    """Said as every answer is: JSON on one line."""
    done = call(program, f"--state={tmp_path}", "freeze", UUID, stdin=stdin)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "UsageError"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"method": "hot"}, "method must be one of cold, live, copy, offline"),
        ({"on_timeout": "wait"}, "on_timeout must be leave or destroy"),
        ({"lease_s": "long"}, "lease_s must be a number"),
        ({"shutdown_timeout_s": -1}, "shutdown_timeout_s must be a number"),
        ({"proof": None}, "proof must be an object"),
        ({"proof": {}}, "proof must be an object"),
    ],
)
def test_a_request_that_is_wrong_touches_nothing(
    program: Path, tmp_path: Path, wrong: dict[str, object], told: str
) -> None:
    """A person's typing error doesn't come out when the machine is down."""
    right = {"run": "by hand", "method": "cold", "on_timeout": "leave", "shutdown_timeout_s": 1}
    request = {**right, "lease_s": 1, "scratch": None, "proof": {"timeout_s": 1}, **wrong}
    done = call(program, f"--state={tmp_path}", "freeze", UUID, stdin=json.dumps(request))
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, "UsageError")
    assert told in done.stdout
    assert not list(tmp_path.glob("machines/*/journal*"))


def test_a_machine_that_isnt_there_isnt_possible(program: Path, tmp_path: Path) -> None:
    """And to release it is no error: there's nothing to be done."""
    request = {"run": "x", "method": "cold", "on_timeout": "leave", "shutdown_timeout_s": 1, "lease_s": 1}
    asked = json.dumps({**request, "scratch": None, "proof": {"timeout_s": 1}})
    done = call(program, f"--state={tmp_path}", "freeze", UUID, stdin=asked)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (4, "NotPossibleError")
    assert "undefined" in done.stdout
    released = call(program, f"--state={tmp_path}", "release", UUID)
    assert (released.returncode, json.loads(released.stdout)["state"]) == (0, "gone")


def test_a_folder_that_cant_be_used_is_told(program: Path, tmp_path: Path) -> None:
    """In an answer, not in a traceback: here a file is in the folder's place."""
    (tmp_path / "file").write_text("")
    request = {"run": "x", "method": "cold", "on_timeout": "leave", "shutdown_timeout_s": 1, "lease_s": 1}
    asked = json.dumps({**request, "scratch": None, "proof": {"timeout_s": 1}})
    done = call(program, f"--state={tmp_path / 'file'}", "freeze", UUID, stdin=asked)
    assert (done.returncode, done.stderr) == (1, "")
    assert "host's own disk" in json.loads(done.stdout)["message"]


def test_a_libvirt_that_isnt_there_is_status_8(program: Path, tmp_path: Path) -> None:
    """Another try may help."""
    done = call(program, "--uri=qemu+unix:///system?socket=/nowhere", f"--state={tmp_path}", "survey")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (8, "LibvirtError")


def test_status_tells_what_is_frozen_and_whether_its_guarded(program: Path, tmp_path: Path) -> None:
    """A journal that is open, or a lease that outlived it; nothing else."""
    state = State(str(tmp_path))
    assert json.loads(call(program, f"--state={tmp_path}", "status").stdout) == {"machines": []}
    state.make()
    machine = state.of(UUID)
    machine.make()
    assert json.loads(call(program, f"--state={tmp_path}", "status").stdout) == {"machines": []}
    write_json(machine.lease, {"token": "x", "run": "a run", "late": 1})
    with held(machine.lease_lock, patience_s=0):
        (one,) = json.loads(call(program, f"--state={tmp_path}", "status").stdout)["machines"]
    assert one == {"uuid": UUID, "run": "a run", "guarded": True}
    machine.journal.write("begin", run="a run", machine="maq1")
    (one,) = json.loads(call(program, f"--state={tmp_path}", "status").stdout)["machines"]
    assert (one["machine"], one["step"], one["guarded"], one["at_work"]) == ("maq1", "begin", False, False)


def test_it_runs_from_any_folder_by_any_way(program: Path, tmp_path: Path) -> None:
    """By a relative path, and through a link."""
    (tmp_path / "link.pyz").symlink_to(program)
    for words in ([os.path.relpath(program, tmp_path)], ["link.pyz"]):
        done = subprocess.run(
            [sys.executable, "-I", *words, "--state=s", "status"],
            capture_output=True,
            cwd=tmp_path,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_written_for_python_3_8() -> None:
    """Hosts are old: its grammar; its library is looked after by hand (docs.python.org tells since when)."""
    for module in sorted((PROJECT / "include" / "agent").glob("*.py")):
        tree = ast.parse(module.read_bytes(), feature_version=(3, 8))
        future = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        annotated = any(isinstance(node, (ast.FunctionDef, ast.AnnAssign)) for node in ast.walk(tree))
        assert not annotated or "__future__" in future, f"{module}: Python 3.8 would read its annotations"
