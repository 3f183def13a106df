"""One worker at a day at a time, by kernel locks: tried with real processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.errors import NotYetError
from include.locks import BUSY_RETRY_S
from include.ordinal_day import OrdinalDay
from include.vault import Vault
from tests.include.days import DAY, stage
from tests.include.machine import environment, python

HOLD_A_DAY = """
import sys
from pathlib import Path
from include.ordinal_day import OrdinalDay
from include.vault import Vault
with Vault.open(Path(sys.argv[1])).hold(OrdinalDay.parse(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
REMOVE_SOMETHING = """
import fcntl, sys
with open(sys.argv[1] + "/.lock", "a") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@contextmanager
def another(script: str, vault: Vault, day: OrdinalDay = DAY) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script in another process up to where it holds its lock; it ends with the block."""
    command = [sys.executable, "-c", script, str(vault.root), str(day)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment()) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process


def refused(vault: Vault, day: OrdinalDay = DAY) -> None:
    """Expect that a day can't be held now, and that it's said when to try again."""
    sentence = f"^{day}: another run is working at .*; looking again in 10 s.$"
    with pytest.raises(NotYetError, match=sentence) as later, vault.hold(day):
        pytest.fail("it was held")
    assert later.value.retry_in_s == BUSY_RETRY_S


def test_a_day_is_held_by_one_process_at_a_time(vault: Vault) -> None:
    """Until it lets go; other days can be held meanwhile."""
    with another(HOLD_A_DAY, vault):
        refused(vault)
        with vault.hold(DAY + 1):
            pass
    with vault.hold(DAY):
        pass


def test_a_day_is_held_once_within_a_process_too(vault: Vault) -> None:
    """Tasks may share a process one day."""
    with vault.hold(DAY):
        refused(vault)
        refused(vault)
    with vault.hold(DAY):
        pass


def test_a_killed_holder_holds_nothing(vault: Vault) -> None:
    """The kernel lets go of what a process held, however it ended; nobody has to clean up."""
    with another(HOLD_A_DAY, vault) as holder:
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
        with vault.hold(DAY):
            pass


def test_nothing_is_copied_while_something_is_removed(vault: Vault) -> None:
    """And nothing removed while something is copied: one lock, shared or alone."""
    with another(REMOVE_SOMETHING, vault):
        refused(vault)
    with vault.hold(DAY):
        remover = [sys.executable, "-c", REMOVE_SOMETHING.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB")]
        blocked = subprocess.run([*remover, str(vault.root)], capture_output=True, text=True, check=False)
        assert "BlockingIOError" in blocked.stderr


def test_a_day_with_nothing_staged_leaves_no_folder_behind(vault: Vault) -> None:
    """And one with something staged keeps it, for the next try to go on with."""
    with vault.hold(DAY) as staged:
        assert staged.folder.is_dir()
    assert not staged.folder.exists()
    with vault.hold(DAY) as staged:
        stage(staged, {"file": b"x"})
    assert (staged.data / "file").read_bytes() == b"x"


@pytest.mark.parametrize("then", ["", "folder.mkdir()"])
def test_a_lock_on_a_folder_that_its_last_holder_removed_is_no_lock(vault: Vault, then: str) -> None:
    """It opened the folder, the holder removed it and let go, and a third process may have a new one."""
    script = f"""
import os, sys
from pathlib import Path
from include.errors import NotYetError
from include.ordinal_day import OrdinalDay
from include.vault import Vault
vault, day = Vault.open(Path(sys.argv[1])), OrdinalDay.parse(sys.argv[2])
folder = vault.staged(day).folder
def meanwhile(event, arguments):
    if event == "fcntl.flock" and folder.exists():
        folder.rmdir()
        {then}
sys.addaudithook(meanwhile)
try:
    with vault.hold(day):
        print("held")
except NotYetError:
    print("not held")
"""
    assert python(script, str(vault.root), str(DAY)) == "not held\n"


def test_an_error_in_the_block_lets_go(vault: Vault) -> None:
    """And passes through."""
    with pytest.raises(ZeroDivisionError), vault.hold(DAY):
        raise ZeroDivisionError
    with vault.hold(DAY):
        pass
