"""Runs are recorded and summarized, tested by separate runs of three tests each."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.session import announce, durations, needs
from tests.session.recording import DURATIONS, PROJECT
from tests.session.suites import SUITE, SUITES

ONE = """
import pytest
from tests.session import needs

def test_that_can(): pass

@pytest.mark.slow
def test_slow(): pass

def test_that_cant():
    needs.skip_or_fail(needs.Missing("This machine has no moon.", "sudo launch moon"))
"""


INI = """
[pytest]
addopts = --dist=loadgroup --no-loadscope-reorder
markers =
    slow: x
    endurance: y
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The folder of the run's files."""
    return tmp_path / "runs"


def run(recorded: Path, ci: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a file of three tests as the suite ``test``."""
    file = recorded.parent / "test_one.py"
    file.write_text(ONE, encoding="utf-8")
    environment = {**os.environ, SUITE: "test", "INPE_TEST_RUNS": str(recorded), "CI": ci}
    (recorded.parent / "pytest.ini").write_text(INI, encoding="utf-8")
    options = ["-p", "tests.session.recording", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "1", "-m", "not slow", *options, str(file)],
        cwd=recorded.parent,
        env={**environment, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_that_cant_run_are_listed_with_the_command_that_helps(recorded: Path) -> None:
    """They aren't counted as passed; tests of another suite are counted, too."""
    done = run(recorded)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 test: This machine has no moon. Try: sudo launch moon" in done.stdout
    found = json.loads((recorded / "test.json").read_text(encoding="utf-8"))
    assert found == {"passed": 1, "skipped": 1, "not_run": 1, "slow": 1}


def test_tests_that_cant_run_fail_if_ci_is_set(recorded: Path) -> None:
    """Nothing is skipped there."""
    done = run(recorded, ci="true")
    assert done.returncode == 1
    assert "This machine has no moon. Try: sudo launch moon" in done.stdout


def test_each_phase_is_recorded_and_adds_up_by_file(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For ``make durations``, and for the order of the next runs."""
    run(recorded)
    monkeypatch.setattr(durations, "RUNS", recorded)
    phases = durations.recorded("test")
    assert {(phase.phase, phase.worker) for phase in phases} == {
        ("setup", "gw0"),
        ("call", "gw0"),
        ("teardown", "gw0"),
    }
    head, line = durations.table(phases)
    assert head.split() == ["all", *durations.PHASES, "tests", "file"]
    assert line.split()[-2:] == ["2", "test_one.py"]


def test_the_announcement_runs_with_any_python() -> None:
    """It needs no package, so it comes before the installation."""
    command = [
        "/usr/bin/python3",
        "-S",
        "-I",
        str(PROJECT / "tests" / "session" / "announce.py"),
        "test",
        "slow",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    assert "tests with an end-to-end run of each DAG: about" in done.stdout
    assert "faults at all critical steps" in done.stdout


def test_every_suite_has_numbers_to_announce(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine's own after a run here."""
    monkeypatch.setattr(announce, "_PROJECT", tmp_path)
    known = {name: announce.measured(name) for name in SUITES if name != "all"}
    assert all(last["tests"] > 0 and last["seconds"] > 0 for last in known.values())
    (tmp_path / ".test" / "runs").mkdir(parents=True)
    (tmp_path / ".test" / "runs" / "test.json").write_text('{"tests": 7, "seconds": 60, "slow": 3}')
    assert announce.measured("test") == {"tests": 7, "seconds": 60}


def test_every_measured_file_exists() -> None:
    """A moved file must be measured again."""
    suites = json.loads(DURATIONS.read_text(encoding="utf-8"))["groups"].values()
    groups = {group for suite in suites for group in suite}
    assert {group for group in groups if "/" in group and not (PROJECT / group).is_file()} == set()


def test_a_missing_program_is_reported_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command that installs it."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    missing = needs.lacks_program("mkfs.xfs")
    assert missing
    assert missing.command == "sudo apt-get install xfsprogs"
