"""A day is locked by one process at a time: kernel locks, tested with real processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import RescheduleError
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, stage
from tests.include.project_process import environment, python

LOCK_A_DAY = """
import sys
from pathlib import Path
from include.days.archive import DayArchive
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
with DayArchive(Vault.open(Path(sys.argv[1]))).lock(OrdinalDay.parse(sys.argv[2])):
    print("locked", flush=True)
    sys.stdin.read()
"""
REMOVE_SOMETHING = """
import fcntl, sys
with open(sys.argv[1] + "/.lock", "a") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@contextmanager
def another(script: str, vault: Vault, day: OrdinalDay = DAY) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script in another process until it has its lock; it ends with the block."""
    command = [sys.executable, "-c", script, str(vault.root), str(day)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment()) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield process


def refused(vault: Vault, day: OrdinalDay = DAY) -> None:
    """Check that a day can't be locked now, and that the error says when to try again."""
    message = f"^{day}: another run is working at .*; trying again later.$"
    with pytest.raises(RescheduleError, match=message) as later, DayArchive(vault).lock(day):
        pytest.fail("it was locked")
    assert later.value.retry_in_s is None


def test_a_day_is_locked_by_one_process_at_a_time(vault: Vault) -> None:
    """Other days can be locked meanwhile."""
    with another(LOCK_A_DAY, vault):
        refused(vault)
        with DayArchive(vault).lock(DAY + 1):
            pass
    with DayArchive(vault).lock(DAY):
        pass


def test_a_day_is_locked_once_within_a_process_too(vault: Vault) -> None:
    """Tasks may share a process in the future."""
    with DayArchive(vault).lock(DAY):
        refused(vault)
        refused(vault)
    with DayArchive(vault).lock(DAY):
        pass


def test_a_killed_process_has_no_locks(vault: Vault) -> None:
    """The kernel releases the locks of a process, however it ended."""
    with another(LOCK_A_DAY, vault) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        with DayArchive(vault).lock(DAY):
            pass


def test_nothing_is_copied_while_something_is_removed(vault: Vault) -> None:
    """And nothing is removed while something is copied: the same lock, exclusive or shared."""
    with another(REMOVE_SOMETHING, vault):
        refused(vault)
    with DayArchive(vault).lock(DAY):
        remover = [sys.executable, "-c", REMOVE_SOMETHING.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB")]
        blocked = subprocess.run([*remover, str(vault.root)], capture_output=True, text=True, check=False)
        assert "BlockingIOError" in blocked.stderr


def test_a_day_with_nothing_staged_leaves_no_folder_behind(vault: Vault) -> None:
    """A day with something staged keeps it, for the next try to resume."""
    with DayArchive(vault).lock(DAY) as staged:
        assert staged.folder.is_dir()
    assert not staged.folder.exists()
    with DayArchive(vault).lock(DAY) as staged:
        stage(staged, {"file": b"x"})
    assert (staged.data / "file").read_bytes() == b"x"


@pytest.mark.parametrize("then", ["", "folder.mkdir()"])
def test_a_lock_of_a_folder_that_was_removed_meanwhile_doesnt_count(vault: Vault, then: str) -> None:
    """Another process removed the folder after this one opened it, and a third may have locked a new one."""
    script = f"""
import os, sys
from pathlib import Path
from include.days.archive import DayArchive
from include.errors import RescheduleError
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
vault, day = Vault.open(Path(sys.argv[1])), OrdinalDay.parse(sys.argv[2])
folder = DayArchive(vault).staged(day).folder
def meanwhile(event, arguments):
    if event == "fcntl.flock" and folder.exists():
        folder.rmdir()
        {then}
sys.addaudithook(meanwhile)
try:
    with DayArchive(vault).lock(day):
        print("locked")
except RescheduleError:
    print("not locked")
"""
    assert python(script, str(vault.root), str(DAY)) == "not locked\n"


def test_an_error_in_the_block_releases_the_lock(vault: Vault) -> None:
    """And is raised."""
    with pytest.raises(ZeroDivisionError), DayArchive(vault).lock(DAY):
        raise ZeroDivisionError
    with DayArchive(vault).lock(DAY):
        pass
