"""A test run leaves nothing behind, whether it passes, fails or is killed."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.include.agent.agent_on_host import wait_until
from tests.session import isolation, needs
from tests.session.recording import PROJECT
from tests.session.suites import SUITE

MESS = str(Path(__file__).with_name("mess.py"))


class Mess:
    """A separate run whose test leaves a mess.

    Args:
        folder: the folder of its files.
    """

    def __init__(self, folder: Path) -> None:
        self.ready = folder / "ready"
        self._sleep = f"{random.randint(10**8, 10**9)}"  # noqa: S311 - no secret
        inherited = {key: value for key, value in os.environ.items() if key not in (isolation.INSIDE, SUITE)}
        self._environment = {
            **inherited,
            "INPE_TEST_RUNS": str(folder / "runs"),
            "MESS": self._sleep,
            "MESS_READY": str(self.ready),
            "TMPDIR": str(folder),
        }
        self._folder = folder

    def begin(self, test: str) -> "subprocess.Popen[str]":
        """Start one of its tests."""
        command = [sys.executable, "-m", "tests.session", "all", "-q", f"{MESS}::{test}"]
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def left(self) -> list[str]:
        """Return what is left of the mess on this machine."""
        commands = [_text(entry / "cmdline") for entry in Path("/proc").glob("[0-9]*")]
        devices = [_text(file) for file in Path("/sys/block").glob("loop*/loop/backing_file")]
        everywhere = {_text(entry / "mountinfo") for entry in Path("/proc").glob("[0-9]*")}
        mounts = [line for table in everywhere for line in table.splitlines()]
        found = [line for line in [*commands, *devices, *mounts] if self._sleep in line]
        return found + [line for line in commands if f"{self._folder}/" in line]

    def folders(self) -> list[Path]:
        """Return the folders of runs."""
        return list(self._folder.glob("inpe-test-*"))


@pytest.fixture
def mess(tmp_path: Path) -> Mess:
    """Prepare a run; skip the test without namespaces."""
    needs.kvm_host()
    return Mess(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("test", ["test_leaves_a_mess", "test_fails"])
def test_a_run_reports_and_ends_what_its_tests_left(mess: Mess, test: str) -> None:
    """It fails then, even if its tests passed."""
    running = mess.begin(test)
    printed, _ = running.communicate(timeout=120)

    assert running.returncode == 1, printed
    for what in ("process", "mount", "loop device"):
        assert f"Left behind: {what}" in printed
    assert "sshd" in printed
    assert mess.left() == []
    assert mess.folders() == []


def test_a_killed_run_leaves_no_process_and_no_mount(mess: Mess) -> None:
    """After kill -9 it can't clean up; the next run removes its files."""
    running = mess.begin("test_hangs")
    wait_until(mess.ready.exists, "the mess", 60)
    assert mess.left()
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)

    wait_until(lambda: not [line for line in mess.left() if "disk-" not in line], "nothing left")
    [folder] = mess.folders()
    with isolation.temporary_folder(folder.parent) as new:
        assert mess.folders() == [new]
    wait_until(lambda: mess.left() == [], "the loop device's end")


@pytest.mark.slow
def test_a_terminated_run_cleans_up(mess: Mess) -> None:
    """SIGTERM, as from a service manager or CI, interrupts pytest; the summary is printed."""
    running = mess.begin("test_hangs")
    wait_until(mess.ready.exists, "the mess", 60)
    running.send_signal(signal.SIGTERM)
    printed, _ = running.communicate(timeout=60)

    assert running.returncode == pytest.ExitCode.INTERRUPTED, printed
    assert "FAILED: make unit" in printed
    assert mess.left() == []
    assert mess.folders() == []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
