"""A power cut after the call takes nothing back, and one before leaves no half of it."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from include.agent.durable_files import fsync, write_whole
from tests.include.agent.test_journal import files_no_longer_than
from tests.include.power_cut import Disk, State
from tests.include.recorded_calls import recorded
from tests.session.needs import program

_SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from include.agent import firmware
from include.agent.journal import Journal
from include.agent.state_folder import StateFolder
from include.agent.restore import file_swap
from include.agent.restore.status import Move
from include.vault import file_system
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry, VerificationLog
from tests.include.agent.tar_files import tar
root = Path(sys.argv[1])

for name, old in (("vda", root / "vda.old"), ("vdb", None)):
    move = Move(name, root / name, root / f"{name}.new", old)
    file_swap.keep_old(move)
    file_swap.move_new(move)

firmware.write_nvram(b"variables", root / "nvram" / "new")
firmware.unpack_tpm(tar({"tpm2/state": b"state", "lock": b""}), root / "tpm" / "new")

file_system.limits = lambda root: []  # its probes make a file of 4 GiB, too large for the model
Vault.create(root / "disk" / "vault")
entry = LogEntry(what="scrub", when=datetime.now(UTC), result="passed", how="", seconds=1, run="a run")
VerificationLog(root / "log" / "268.verifications").append(entry)

state = StateFolder(str(root / "new" / "state"))
state.make()
vm = state.of("6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001")
vm.make()
vm.record_not_back()
journal = Journal(root / "closed" / "journal.jsonl")
journal.write("begin", run="a run")
journal.close()
"""


def contents(state: State) -> dict[str, object]:
    """Return what each file contains."""
    return {path: content for path, (_, content) in state.items()}


def test_what_was_written_is_safe(tmp_path: Path) -> None:
    """Whatever of the rest has reached the disk; a swap loses neither the old nor the new disk meanwhile."""
    program("strace")
    for name in ("vda", "vda.new", "vdb.new"):
        (tmp_path / name).write_text(name)
    for folder in ("nvram", "tpm", "log", "closed"):  # each synced by none of the others
        (tmp_path / folder).mkdir()
    disk = Disk(tmp_path)
    calls = recorded([sys.executable, "-c", _SCRIPT, str(tmp_path)])
    for state in disk.states_after(calls):
        there = contents(state)
        assert there["vda"] == b"vda.new" or (there["vda"], there["vda.new"]) == (b"vda", b"vda.new")
        assert b"vda" in (there["vda"], there.get("vda.old"))
        assert b"vdb.new" in (there.get("vdb"), there.get("vdb.new"))
    (live,) = {tuple(contents(state).items()) for state in Disk(tmp_path).states()}
    for state in disk.states():
        assert contents(state) == dict(live)


def test_a_file_that_cant_be_written_stays_as_it_was(tmp_path: Path) -> None:
    """And nothing is left beside it."""
    file = tmp_path / "file"
    write_whole(file, b"old", 0o600)
    with files_no_longer_than(5), pytest.raises(OSError, match="large"):
        write_whole(file, b"new and longer")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_in_the_way_isnt_followed(tmp_path: Path) -> None:
    """The folder may be one that others can write to."""
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "file").symlink_to("target")
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "target").read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()


def test_a_folder_whose_file_system_has_no_sync_of_folders_is_taken_as_it_is() -> None:
    """Such as CIFS of an old kernel, or FUSE; /proc refuses it in the same way."""
    opened = os.open("/proc", os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(opened)
    os.close(opened)
    fsync(Path("/proc"))


def test_a_files_sync_that_fails_is_an_error() -> None:
    """Its data may not be on the disk."""
    with pytest.raises(OSError, match="Invalid argument"):
        fsync(Path("/proc/version"))


@pytest.mark.parametrize("name", ["x" * 255, "ã" * 127], ids=["ASCII", "two bytes each"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, name: str) -> None:
    """Firmware is named after its VM."""
    write_whole(tmp_path / name, b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"content")]


def test_a_write_that_is_ended_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task may be cancelled at any moment: its part would stay for ever, named after its process."""

    def cancelled(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", cancelled)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", b"content")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    """Once nobody can be writing it any more; other files stay."""
    day_s, now = 86_400, time.time()
    ages = {".file.123": 2 * day_s, ".file.456": 60, ".file.x1": 2 * day_s, ".other.123": 2 * day_s}
    for name, age_s in ages.items():
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (now - age_s, now - age_s))
    write_whole(tmp_path / "file", b"content")
    assert {path.name for path in tmp_path.iterdir()} == {".file.456", ".file.x1", ".other.123", "file"}
