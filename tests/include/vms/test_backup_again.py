"""The backup of a VM with concurrent runs, wrong clocks, after a power failure, and killed anywhere."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import ImageGoneError, RescheduleError, VmNotImagedError, VmRereadError
from include.vault.vault import Vault
from include.vms.archive import StagedVm, VmArchive
from include.vms.distrust import distrust
from include.vms.transfer import Transferred
from tests.include.project_process import python
from tests.include.vault.test_verification_log import found
from tests.include.vms.folder_host import REQUEST, backup_of, change, take
from tests.include.vms.sample_vms import INSTANT, lay, verified
from tests.session.needs import plain_user, program

MIB = 1 << 20
DAY = timedelta(days=1)
NEXT = REQUEST.model_copy(update={"run": "next run"})


pytestmark = pytest.mark.usefixtures("no_connection")


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """A disk of random data with a hole, and an ext4 file system."""
    folder = tmp_path / "disks"
    folder.mkdir()
    (folder / "vda.raw").write_bytes(os.urandom(2 * MIB + 5) + bytes(MIB))
    (folder / "vdb.raw").write_bytes(bytes(2 * MIB))
    subprocess.run([program("mkfs.ext4"), "-q", folder / "vdb.raw"], check=True)
    return folder


def runs(vault: Vault) -> list[str]:
    """Return the runs of the VM's generations, and verify all."""
    found = VmArchive(vault).of("maq1")
    assert all(verified(generation) for generation in found)
    return [generation.record.run for generation in found]


def test_images_verified_late_are_published_by_the_next_run(vault: Vault, disks: Path) -> None:
    """An earlier run verifies its images after the next one has begun its backup."""
    early, late = backup_of(vault, disks), backup_of(vault, disks, "next run", INSTANT + DAY)
    first = early.begin_backup(REQUEST)
    early.transfer(first)
    second = late.begin_backup(NEXT)
    early.verify(first)
    late.transfer(second)
    assert runs(vault) == ["a run"]
    late.verify(second)
    late.end_backup()
    late.publish(second)
    assert early.publish(first).run == "a run"
    assert runs(vault) == ["a run", "next run"]


def test_a_damaged_generation_is_no_base_of_the_next_one(vault: Vault, disks: Path) -> None:
    """Shared blocks would be bad in both; the intact generation before it is the base."""
    for day, run in enumerate(("a run", "next run", "third run")):
        take(backup_of(vault, disks, run, INSTANT + day * DAY))
        if run == "next run":
            VmArchive(vault).of("maq1")[-1].verification_log.append(found(result="failed"))
    first, _, third = VmArchive(vault).of("maq1")
    assert third.record.base == first.name


def test_a_second_run_at_one_vm_waits(vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its steps is rescheduled, except for ending its backup."""
    monkeypatch.setattr("include.vms.backup.TRANSFER_ENDS_S", 0.0)
    backup, other = backup_of(vault, disks), backup_of(vault, disks, "next run")
    begun = backup.begin_backup(REQUEST)
    with VmArchive(vault).lock("maq1"):
        for step in (other.transfer, other.verify, other.publish):
            with pytest.raises(RescheduleError):
                step(begun)
        with pytest.raises(RescheduleError):
            other.begin_backup(NEXT)
        assert other.end_backup().state == "running"


def test_ending_a_backup_waits_for_a_transfer_that_is_being_ended(vault: Vault, disks: Path) -> None:
    """When a person ended the run: no incomplete image is left."""
    backup = backup_of(vault, disks)
    backup.transfer(backup.begin_backup(REQUEST))
    with ThreadPoolExecutor() as threads:
        with VmArchive(vault).lock("maq1"):
            ending = threads.submit(backup.end_backup)
            with pytest.raises(TimeoutError):
                ending.result(timeout=0.5)
        assert ending.result().state == "running"
    assert not VmArchive(vault).staged("maq1").folder.exists()


@pytest.mark.parametrize("name", ["begun.json", "transferred.json", "draft.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"run": 7}', b"\xff"])
def test_staging_damaged_by_a_power_failure_stops_no_run(
    vault: Vault, disks: Path, name: str, content: bytes
) -> None:
    """The same run can repeat its steps, and the next one can do its own."""
    backup, damaged = backup_of(vault, disks), VmArchive(vault).staged("maq1").folder / name
    begun = backup.begin_backup(REQUEST)
    for step in (backup.transfer, backup.verify):
        step(begun)
        damaged.write_bytes(content)
        backup.verify(begun)
    backup.publish(begun)
    assert runs(vault) == ["a run"]
    again = backup_of(vault, disks, "next run", INSTANT + DAY)
    again.verify(again.begin_backup(NEXT))
    damaged.write_bytes(content)
    take(backup_of(vault, disks, "last run", INSTANT + 2 * DAY))
    assert {"a run", "last run"} <= set(runs(vault))


def test_a_host_whose_clock_was_ahead_is_backed_up_once_it_is_corrected(vault: Vault, disks: Path) -> None:
    """Staging is dated in the future by the host; its next backup is another one."""
    half = backup_of(vault, disks, "half a run", INSTANT + 4000 * DAY)
    half.transfer(half.begin_backup(REQUEST.model_copy(update={"run": "half a run"})))
    take(backup_of(vault, disks, "next run", INSTANT))
    assert runs(vault) == ["next run"]


def test_a_run_whose_staging_was_removed_cant_publish(vault: Vault, disks: Path) -> None:
    """Its task is cleared after the next run had removed its unverified images."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    with pytest.raises(VmNotImagedError):
        backup.publish(begun)
    with pytest.raises(ImageGoneError):
        backup.verify(begun)
    assert runs(vault) == ["next run"]


def test_other_users_cant_read_images(vault: Vault, disks: Path) -> None:
    """Disks contain keys and passwords: neither in staging nor when published."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    assert VmArchive(vault).staged("maq1").data.stat().st_mode & 0o77 == 0
    backup.verify(begun)
    backup.publish(begun)
    assert (vault.root / "vm").stat().st_mode & 0o77 == 0
    assert (vault.root / "vm" / "maq1").stat().st_mode & 0o77 == 0
    (vault.root / "vm").chmod(0o755)
    lay(vault, "maq2")
    assert (vault.root / "vm" / "maq2").stat().st_mode & 0o77 == 0


KILLED = """
import os, subprocess, sys
from itertools import count
from include.vms.archive import VmArchive
from include.vault.vault import Path, Vault
from tests.include.vms.folder_host import backup_of, take, without_a_connection
from tests.include.vms.sample_vms import INSTANT, verified
from tests.include.days.worker import Fate
from datetime import timedelta

vault_root, disks = Path(sys.argv[1]), Path(sys.argv[2])
counts = set()
without_a_connection()
for change in count(1):
    copy = Path(f"{vault_root}.{change}")
    subprocess.run(["cp", "--archive", "--sparse=always", vault_root, copy], check=True)
    backup = backup_of(Vault(copy), disks, "next run", INSTANT + timedelta(days=1))
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        take(backup)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    found = VmArchive(backup.vault).of("maq1")
    counts.add(len(found))
    assert all(verified(generation) for generation in found)
    take(backup)
    found = VmArchive(backup.vault).of("maq1")
    assert [generation.record.run for generation in found] == ["a run", "next run"]
    assert all(verified(generation) for generation in found)
    assert not VmArchive(backup.vault).staged("maq1").folder.exists()
    assert found[1].folder.stat().st_mode & 0o222 == 0
    if not killed:
        break
assert counts == {1, 2}
print(change, file=sys.stderr)
"""


@pytest.mark.slow
def test_a_worker_can_be_killed_before_each_change_it_makes(vault: Vault, disks: Path) -> None:
    """The steps can be repeated, and at any time the vault contains verified generations only."""
    take(backup_of(vault, disks))
    (disks / "vda.raw").write_bytes(b"a week later" * 99)
    os.truncate(disks / "vdb.raw", MIB)
    python(KILLED, str(vault.root), str(disks), prefix=plain_user())


def test_a_generation_with_a_damaged_record_is_no_base(vault: Vault, disks: Path) -> None:
    """It counts as unverified, and the next backup succeeds."""
    take(backup_of(vault, disks))
    change(VmArchive(vault).of("maq1")[0].record_file, 0, b"x")
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    assert VmArchive(vault).of("maq1")[1].record.base is None


def test_nothing_carried_is_resumed_once_trust_has_ended(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in that moment, a run that is repeated starts from the first chunk; what it found is kept."""
    take(backup_of(vault, disks))
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    begun = backup.begin_backup(NEXT)
    staged = VmArchive(vault).staged("maq1")

    def differing(_: object, into: StagedVm, *__: object) -> Transferred:
        into.begin(begun.run, begun.instant)
        into.kinds("vda").write_bytes(b"C")
        raise VmRereadError("Chunk 5 differs.")

    def killed(*given: Any) -> str:  # noqa: ANN401 - those of distrust
        assert not staged.kinds("vda").exists()
        distrust(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("include.vms.backup.transfer", differing)
        patch.setattr("include.vms.backup.distrust", killed)
        with pytest.raises(KeyboardInterrupt):
            backup.transfer(begun)
    transferred = backup.transfer(begun)
    assert transferred
    assert transferred.mismatch == "Chunk 5 differs."


def test_clones_of_another_instant_never_become_the_reference(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run began again, and its first images were verified only then: they are published, without clones."""
    asked = list[str]()
    monkeypatch.setattr("include.vms.backup.VmBackup._keep_reference", lambda *_: asked.append("kept"))
    early, late = backup_of(vault, disks), backup_of(vault, disks, instant=INSTANT + DAY)
    first = early.begin_backup(REQUEST).model_copy(update={"cloned": True})
    early.transfer(first)
    second = late.begin_backup(REQUEST).model_copy(update={"cloned": True})
    early.verify(first)
    late.transfer(second)
    late.verify(second)
    late.publish(second)
    assert asked == []
    late.publish(first)
    assert asked == ["kept"]
