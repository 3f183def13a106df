"""The agent's command line, run from the zip as it is shipped."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.agent import errors
from include.agent.durable_files import write_json
from include.agent.state_folder import StateFolder, locked
from include.remote import zipapps
from tests.include.agent.agent_on_host import REQUEST
from tests.include.agent.send_process import UUID

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's zip file."""
    name, content = zipapps.agent()
    path = tmp_path_factory.mktemp("agent") / name
    path.write_bytes(content)
    return path


def call(
    program: Path, *arguments: str, stdin: str = "", folder: str = "/"
) -> "subprocess.CompletedProcess[str]":
    """Run the agent without the project on its path."""
    command = [sys.executable, "-I", str(program), "--uri=test:///default", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, cwd=folder, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("begin-backup", "end-backup", "send"))]
)
def test_each_command_has_a_help(program: Path, arguments: list[str]) -> None:
    """It goes to standard output, with exit status 0."""
    done = call(program, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: agent" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 120


def test_the_help_lists_every_exit_status_and_no_hidden_command(program: Path) -> None:
    """The exit statuses are those of the error classes."""
    shown = call(program, "--help").stdout
    statuses = {kind.status for kind in errors.AgentError.__subclasses__()}
    assert statuses == set(range(2, 13))
    assert all(f"\n  {status}  " in shown for status in statuses)
    commands = {line.split()[0] for line in shown.splitlines() if line.startswith("    ")}
    assert {"survey", "end-backup"} <= commands
    assert not commands & {"work", "watch", "watch-boot-test"}


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["begin-backup"], ["--state"], ["end-backup", UUID, "--nonsense"]]
)
def test_a_wrong_command_line_is_status_2(program: Path, arguments: list[str]) -> None:
    """The usage goes to standard error."""
    done = call(program, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: agent" in done.stderr


@pytest.mark.parametrize("stdin", ["{", "[]", "\xff", '"x"', "17"])
def test_a_request_that_isnt_a_json_object_is_status_2(program: Path, tmp_path: Path, stdin: str) -> None:
    """The error is printed as every answer is: as JSON on one line."""
    done = call(program, f"--state={tmp_path}", "begin-backup", UUID, stdin=stdin)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "UsageError"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"method": "hot"}, "method must be one of cold, live, copy, offline"),
        ({"managed_save": "keep"}, "managed_save must be refuse or disks_only"),
        ({"on_timeout": "wait"}, "on_timeout must be leave or destroy"),
        ({"restart_changes": "ask"}, "restart_changes must be refuse or allow"),
        ({"watchdog_s": "long"}, "watchdog_s must be a number"),
        ({"shutdown_timeout_s": -1}, "shutdown_timeout_s must be a number"),
        ({"health_check": None}, "health_check must be an object"),
        ({"health_check": {}}, "health_check must be an object"),
    ],
)
def test_a_request_that_is_wrong_touches_nothing(
    program: Path, tmp_path: Path, wrong: dict[str, object], reason: str
) -> None:
    """A typing error is found before the VM is down."""
    stdin = json.dumps({**REQUEST, **wrong})
    done = call(program, f"--state={tmp_path}", "begin-backup", UUID, stdin=stdin)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, "UsageError")
    assert reason in done.stdout
    assert not list(tmp_path.glob("vms/*/journal*"))


def test_an_incomplete_request_is_refused(program: Path, tmp_path: Path) -> None:
    """The error lists what is missing."""
    done = call(program, f"--state={tmp_path}", "begin-backup", UUID, stdin=json.dumps({"run": "x"}))
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, "UsageError")
    assert "method" in done.stdout


def test_the_backup_of_an_undefined_vm_isnt_possible(program: Path, tmp_path: Path) -> None:
    """To end it is no error: there is nothing to do."""
    stdin = json.dumps(REQUEST)
    done = call(program, f"--state={tmp_path}", "begin-backup", UUID, stdin=stdin)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (4, "NotPossibleError")
    assert "undefined" in done.stdout
    ended = call(program, f"--state={tmp_path}", "end-backup", UUID)
    assert (ended.returncode, json.loads(ended.stdout)["state"]) == (0, "gone")


def test_an_unusable_state_folder_is_reported_without_a_traceback(program: Path, tmp_path: Path) -> None:
    """Here a file is in its place."""
    (tmp_path / "file").write_text("")
    stdin = json.dumps(REQUEST)
    done = call(program, f"--state={tmp_path / 'file'}", "begin-backup", UUID, stdin=stdin)
    assert (done.returncode, done.stderr) == (1, "")
    assert "disk or state folder can't be used" in json.loads(done.stdout)["message"]


def test_an_unreachable_libvirt_is_status_8(program: Path, tmp_path: Path) -> None:
    """That may be transient."""
    done = call(program, "--uri=qemu+unix:///system?socket=/nowhere", f"--state={tmp_path}", "survey")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (8, "LibvirtError")


def test_status_lists_open_backups_and_watchdogs(program: Path, tmp_path: Path) -> None:
    """It lists a VM with an open journal, or with a watchdog that was extended, and no other."""
    state = StateFolder(str(tmp_path))
    assert json.loads(call(program, f"--state={tmp_path}", "status").stdout) == {"vms": []}
    state.make()
    vm = state.of(UUID)
    vm.make()
    assert json.loads(call(program, f"--state={tmp_path}", "status").stdout) == {"vms": []}
    write_json(vm.watchdog, {"token": "x", "run": "a run", "late": 1})
    with locked(vm.watchdog_lock, timeout_s=0):
        (listed,) = json.loads(call(program, f"--state={tmp_path}", "status").stdout)["vms"]
    assert listed == {"uuid": UUID, "run": "a run", "watchdog": True}
    vm.journal.write("begin", run="a run", vm="maq1")
    (listed,) = json.loads(call(program, f"--state={tmp_path}", "status").stdout)["vms"]
    assert (listed["vm"], listed["step"]) == ("maq1", "begin")
    assert (listed["watchdog"], listed["busy"], listed["sending"]) == (False, False, False)


def test_it_runs_by_a_relative_path_and_through_a_link(program: Path, tmp_path: Path) -> None:
    """The current folder doesn't matter."""
    (tmp_path / "link.pyz").symlink_to(program)
    for file in ([os.path.relpath(program, tmp_path)], ["link.pyz"]):
        done = subprocess.run(
            [sys.executable, "-I", *file, "--state=s", "status"],
            capture_output=True,
            cwd=tmp_path,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_written_for_python_3_8() -> None:
    """Hosts are old. This checks the grammar; look up the standard library by hand (docs.python.org)."""
    for module in sorted((PROJECT / "include" / "agent").rglob("*.py")):
        tree = ast.parse(module.read_bytes(), feature_version=(3, 8))
        future = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        annotated = any(isinstance(node, (ast.FunctionDef, ast.AnnAssign)) for node in ast.walk(tree))
        assert not annotated or "__future__" in future, f"{module}: Python 3.8 would read its annotations"
