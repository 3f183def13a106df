"""A program that writes a disk is ended in time; otherwise its error is reported."""

import subprocess
import time
from pathlib import Path

import pytest

from include.agent.disks import disk_program
from include.agent.disks.disk_program import DiskProgramError, run


def endless(folder: Path) -> list[str]:
    """Return a program that doesn't end, with the folder in its command line; it is a single process."""
    (folder / "file").touch()
    return ["tail", "--follow", str(folder / "file")]


def is_running(mark: Path) -> bool:
    """Return whether a program with a path in its command line is running."""
    return bool(subprocess.run(["pgrep", "-f", str(mark)], capture_output=True, check=False).stdout)


def test_a_program_is_ended_before_the_file_system_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills it: the guests of the host would be paused."""
    usable = iter([10, 5, 0])
    monkeypatch.setattr(disk_program, "usable_bytes", lambda _: next(usable))
    with pytest.raises(DiskProgramError, match=f"The file system of {tmp_path} is nearly full. Free some"):
        run(endless(tmp_path), tmp_path)
    assert not is_running(tmp_path)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A VM that is off must be started in time."""
    with pytest.raises(DiskProgramError, match="It took more than 0 s"):
        run(endless(tmp_path), tmp_path, timeout_s=0.2)
    assert not is_running(tmp_path)


def test_the_caller_learns_that_a_program_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds; and can end it."""
    monkeypatch.setattr(disk_program, "ALIVE_S", 0)
    called = list[float]()

    def alive() -> None:
        called.append(time.monotonic())
        if len(called) == 3:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(endless(tmp_path), tmp_path, alive)
    assert not is_running(tmp_path)


def test_a_programs_error_is_reported(tmp_path: Path) -> None:
    """Its own words, on one line; and that it isn't there."""
    run(["true"], tmp_path)
    with pytest.raises(DiskProgramError, match=r"^sh: no such disk$"):
        run(["sh", "-c", "printf 'no such\\ndisk\\n' >&2; exit 1"], tmp_path)
    with pytest.raises(DiskProgramError, match="This host has no qemu-nowhere"):
        run(["qemu-nowhere"], tmp_path)


def test_a_program_that_is_too_late_isnt_started(tmp_path: Path) -> None:
    """Also one that would end at once: the watchdog starts the VM at any moment."""
    with pytest.raises(DiskProgramError, match=r"No time is left for it\."):
        run(["touch", str(tmp_path / "made")], tmp_path, timeout_s=-1)
    assert not (tmp_path / "made").exists()
