"""The agent's state folder: locks end with their process, files are atomic, only work folders are removed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent.durable_files import write_json
from include.agent.errors import BusyError, NotPossibleError, UsageError
from include.agent.state_folder import (
    LONGEST_FOLDER,
    StateFolder,
    VmFolder,
    is_locked,
    locked,
    read_json,
)
from tests.include.agent.test_journal import PROJECT, files_no_longer_than
from tests.session import needs

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
_LOCKER = """
import sys
from pathlib import Path
from include.agent.state_folder import locked
with locked(Path(sys.argv[1]), timeout_s=0, shared=sys.argv[2] == "shared") as is_mine:
    print(is_mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(short: Path) -> VmFolder:
    """A VM's folder in a new state folder."""
    state = StateFolder(str(short / "s"))
    state.make()
    made = state.of(UUID)
    made.make()
    return made


@contextmanager
def locked_by_process(path: Path, mode: str = "exclusive") -> Iterator["subprocess.Popen[str]"]:
    """Lock a file in another process."""
    command = [sys.executable, "-c", _LOCKER, str(path), mode]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_a_lock_ends_with_its_process(folder: VmFolder) -> None:
    """Even if that is killed."""
    assert not folder.is_busy()
    with locked_by_process(folder.lock) as process:
        assert folder.is_busy()
        with locked(folder.lock, timeout_s=0) as is_mine:
            assert not is_mine
        process.kill()
        with locked(folder.lock, timeout_s=5) as is_mine:
            assert is_mine
    assert not folder.is_busy()


def test_senders_share_their_lock(folder: VmFolder) -> None:
    """While one of them sends, the backup isn't ended for another."""
    assert not folder.is_sending()
    with (
        locked_by_process(folder.send_lock, "shared") as first,
        locked_by_process(folder.send_lock, "shared"),
    ):
        assert folder.is_sending()
        first.kill()
        first.wait()
        assert folder.is_sending()
    assert not folder.is_sending()


def test_checking_a_lock_doesnt_lock(folder: VmFolder) -> None:
    """It can be locked right after."""
    with folder.lock.open("ab"):
        assert not is_locked(folder.lock)
        with locked(folder.lock, timeout_s=0) as is_mine:
            assert is_mine


def test_only_one_call_locks_the_host(folder: VmFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is refused as busy."""
    monkeypatch.setattr("include.agent.state_folder.time.sleep", lambda _: None)
    state = StateFolder(str(folder.path.parents[1]))
    now = iter(range(0, 1000, 5))
    monkeypatch.setattr("include.agent.state_folder.time.monotonic", lambda: next(now))
    with (
        locked_by_process(state.root / "host.lock"),
        pytest.raises(BusyError, match="Try again"),
        state.lock_host(),
    ):
        pass


@pytest.mark.parametrize(
    "junk", ["", "maq1", "..", "-x", "a b;c", UUID.upper(), f"{UUID}\n", f"{UUID}/..", f"x{UUID}", UUID[:-1]]
)
def test_only_a_uuid_becomes_a_path(tmp_path: Path, junk: str) -> None:
    """It must be exactly as libvirt writes it."""
    with pytest.raises(UsageError, match="by its UUID"):
        StateFolder(str(tmp_path)).of(junk)


def test_folders_that_arent_vms_are_left_alone(folder: VmFolder) -> None:
    """Such as ``lost+found``."""
    (folder.path.parent / "lost+found").mkdir()
    assert [found.uuid for found in StateFolder(str(folder.path.parents[1])).folders()] == [UUID]
    assert StateFolder("/nowhere/at/all").folders() == []


def test_only_work_folders_are_removed(folder: VmFolder, short: Path) -> None:
    """Other folders in the scratch folder, and links to them, are left alone."""
    scratch = short / "scratch"
    (scratch / "vms").mkdir(parents=True)
    work = folder.new_work_folder(str(scratch))
    assert not work.exists()
    folder.make_work_folder(work)
    assert (work.parent, work.stat().st_mode & 0o777) == (scratch, 0o700)
    (work / "vda.scratch").write_text("x")
    assert folder.remove_work_folder(str(work))
    assert not folder.remove_work_folder(str(scratch / "vms"))
    link = scratch / work.name
    link.symlink_to(scratch / "vms")
    assert not folder.remove_work_folder(str(link))
    assert (scratch / "vms").is_dir()


def test_work_folders_are_found_by_the_journal_and_by_name(folder: VmFolder, tmp_path: Path) -> None:
    """Those in a scratch folder by the journal, those in the state folder by their names."""
    folder.journal.write("work_folder", work_folder=str(tmp_path / "scratch" / "x"))
    lost = folder.new_work_folder(None)
    folder.make_work_folder(lost)
    assert folder.work_folders() == sorted([str(tmp_path / "scratch" / "x"), str(lost)])


def test_a_scratch_folder_with_too_long_a_path_is_refused(folder: VmFolder) -> None:
    """Sockets couldn't be made there."""
    with pytest.raises(NotPossibleError, match="too long for sockets"):
        folder.new_work_folder("/" + "d" * LONGEST_FOLDER)


def test_a_file_is_replaced_atomically(folder: VmFolder) -> None:
    """On a full disk it stays as it is, and no other file is left."""
    write_json(folder.watchdog, {"token": "old"})
    with files_no_longer_than(5), pytest.raises(OSError, match="large"):
        write_json(folder.watchdog, {"token": "new"})
    assert read_json(folder.watchdog) == {"token": "old"}
    assert [path.name for path in folder.path.iterdir()] == ["watchdog.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0\0", b"\xff\xfe"])
def test_a_damaged_file_counts_as_missing(folder: VmFolder, content: bytes) -> None:
    """It has no effect."""
    folder.watchdog.write_bytes(content)
    assert read_json(folder.watchdog) == {}


def test_other_users_can_enter_the_folders_but_not_list_them(folder: VmFolder) -> None:
    """QEMU's user must reach its socket."""
    needs.root()
    modes = [path.stat().st_mode & 0o777 for path in (folder.path, *folder.path.parents[:2])]
    assert modes == [0o711] * 3
