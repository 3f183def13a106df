"""The backup of a VM, the vault's side: steps repeated, in any order, and on a damaged base."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import BackupError, ImageGoneError, NoSpaceError, VaultError, VmNotImagedError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from include.vms.left_out import LeftOut
from tests.include.days.sample_days import tree
from tests.include.vms.folder_host import (
    REQUEST,
    asked,
    backup_of,
    change,
    published,
    take,
)
from tests.include.vms.sample_vms import INSTANT, UUID, names

MIB = 1 << 20
DAY = timedelta(days=1)


pytestmark = pytest.mark.usefixtures("no_connection")


def test_a_vm_is_backed_up(vault: Vault, disks: Path) -> None:
    """Its disks byte for byte, with a record."""
    backup = backup_of(vault, disks)
    take(backup)
    (generation,) = published(vault)
    record = generation.record
    for disk in ("vda", "vdb"):
        assert generation.image(disk).read_bytes() == (disks / f"{disk}.raw").read_bytes()
    assert (record.vm, record.uuid, record.host, record.run) == ("maq1", UUID, "kvm_host", "a run")
    assert record.instant == INSTANT.replace(microsecond=0) == generation.instant
    assert [(disk.name, disk.sent_bytes) for disk in record.disks] == [("vda", 8 * MIB), ("vdb", 2 * MIB)]
    assert record.disks[1].filesystems[0].description == "whole disk, ext4 'data': cleanly unmounted."
    assert record.verifications[0].how == "SHA-256 of 10 chunks read back from the disk equal to the host's"
    assert (record.base, record.warnings) == (None, ())
    later = {generation.record_file, generation.sums}
    kept = [path for path in generation.folder.iterdir() if path not in later]
    assert record.bytes == sum(path.stat().st_blocks * 512 for path in kept)
    assert asked(backup) == ["begin-backup a run", f"send {UUID}", "end-backup a run"]
    assert not VmArchive(vault).staged("maq1").folder.exists()


def test_the_record_names_what_the_image_lacks(vault: Vault, disks: Path) -> None:
    """As the host's agent found it when the backup began."""
    backup, share = backup_of(vault, disks), LeftOut(kind="share", name="data", where="/srv/data")
    begun = backup.begin_backup(REQUEST).model_copy(update={"left_out": (share,)})
    backup.transfer(begun)
    backup.verify(begun)
    backup.publish(begun)
    assert published(vault)[0].record.left_out == (share,)
    assert '"/srv/data"' in published(vault)[0].record_file.read_text(encoding="utf-8")


def test_a_week_later_only_changed_chunks_are_sent(vault: Vault, disks: Path) -> None:
    """Compared with the newest generation, which isn't changed."""
    take(backup_of(vault, disks))
    before = tree(published(vault)[0].folder)
    change(disks / "vda.raw", MIB, b"changed")
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    first, second = published(vault)
    assert tree(first.folder) == before
    assert second.record.base == first.name
    assert [disk.sent_bytes for disk in second.record.disks] == [MIB, 0]
    assert second.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_an_image_that_never_verifies_isnt_published(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault's disk returns other data than were written, again and again."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    change(VmArchive(vault).staged("maq1").image("vda"), 0, b"decayed")
    monkeypatch.setattr("include.vms.backup.transfer_again", lambda *_: None)
    with pytest.raises(VmNotImagedError, match=r"maq1: checksum mismatch after 2 retries: .* for 'vda' than"):
        backup.verify(begun)
    with pytest.raises(VmNotImagedError, match="maq1 has no verified images in the vault"):
        backup.publish(begun)
    backup.end_backup()
    assert published(vault) == []
    assert not VmArchive(vault).staged("maq1").folder.exists()


def test_a_truncated_image_isnt_verified(vault: Vault, disks: Path) -> None:
    """Transferring chunks again can't repair it."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    os.truncate(VmArchive(vault).staged("maq1").image("vdb"), MIB)
    with pytest.raises(VaultError, match="has 1,048,576 bytes; the VM's disk has 2,097,152"):
        backup.verify(begun)


def test_every_step_can_be_repeated(vault: Vault, disks: Path) -> None:
    """The VM is stopped once, and its disks are transferred once; the result is the same generation."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    first = backup.transfer(begun)
    assert backup.transfer(begun) == first
    draft = backup.verify(begun)
    again = backup.begin_backup(REQUEST)
    assert (again.disks, again.run) == (begun.disks, begun.run)
    assert backup.transfer(begun) is None
    assert backup.verify(begun) == draft
    backup.end_backup()
    backup.end_backup()
    assert backup.verify(begun) == draft
    assert backup.publish(begun) == backup.publish(begun) == draft
    take(backup)
    assert len(published(vault)) == 1
    assert asked(backup).count("begin-backup a run") == 1
    assert asked(backup).count(f"send {UUID}") == 1


def test_verifying_transfers_what_is_missing(vault: Vault, disks: Path) -> None:
    """When a task is cleared alone."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.verify(begun)
    backup.publish(begun)
    assert len(published(vault)) == 1


def test_nothing_unverified_is_published(vault: Vault, disks: Path) -> None:
    """Whichever tasks are cleared."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    with pytest.raises(VmNotImagedError, match='Clear its task "Stop, snapshot, start"'):
        backup.publish(begun)
    assert published(vault) == []


def test_ending_a_backup_removes_unverified_images_and_keeps_verified_ones(vault: Vault, disks: Path) -> None:
    """The missing rest can't be transferred any more; another run's staging isn't changed."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.transfer(begun)
    backup_of(vault, disks, "next run").end_backup()
    assert VmArchive(vault).staged("maq1").transferred.exists()
    backup.end_backup()
    assert not VmArchive(vault).staged("maq1").folder.exists()
    backup.verify(begun)
    backup.end_backup()
    assert VmArchive(vault).staged("maq1").draft.exists()


def test_a_backup_can_be_ended_while_the_vault_fails(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The VM matters more than staging."""
    monkeypatch.setattr("include.vms.backup.TRANSFER_ENDS_S", 0.0)
    backup = backup_of(vault, disks)
    backup.transfer(backup.begin_backup(REQUEST))
    with VmArchive(vault).lock("maq1"):
        assert backup.end_backup().state == "running"
    (vault.root / "vm").symlink_to(disks)
    assert backup.end_backup().state == "running"


def test_images_that_an_earlier_run_verified_are_published_by_the_next(vault: Vault, disks: Path) -> None:
    """Its worker died before it could publish them."""
    backup = backup_of(vault, disks)
    backup.verify(backup.begin_backup(REQUEST))
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    assert [generation.record.run for generation in published(vault)] == ["a run", "next run"]


def test_unverified_images_of_an_earlier_run_are_removed(vault: Vault, disks: Path) -> None:
    """Chunks of two backups are never mixed."""
    backup = backup_of(vault, disks)
    backup.transfer(backup.begin_backup(REQUEST))
    change(disks / "vda.raw", 0, b"a week later")
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    (generation,) = published(vault)
    assert generation.record.run == "next run"
    assert generation.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_an_earlier_run_doesnt_disturb_a_later_one(vault: Vault, disks: Path) -> None:
    """Its task was cleared late: the host has begun another backup meanwhile."""
    early, late = backup_of(vault, disks), backup_of(vault, disks, "next run", INSTANT + DAY)
    begun = early.begin_backup(REQUEST)
    late.transfer(late.begin_backup(REQUEST.model_copy(update={"run": "next run"})))
    before = tree(VmArchive(vault).staged("maq1").folder)
    for step in (early.transfer, early.verify):
        with pytest.raises(ImageGoneError, match="The open backup is of next run"):
            step(begun)
    early.end_backup()
    assert tree(VmArchive(vault).staged("maq1").folder) == before


def test_an_existing_folder_isnt_overwritten_and_doesnt_stop_the_next_run(vault: Vault, disks: Path) -> None:
    """Somebody made a folder with the name of the generation."""
    backup = backup_of(vault, disks)
    begun = backup.begin_backup(REQUEST)
    backup.verify(begun)
    stranger = vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    stranger.mkdir(parents=True)
    with pytest.raises(VaultError, match="exists already"):
        backup.publish(begun)
    take(backup_of(vault, disks, "next run", INSTANT + DAY))
    assert names(stranger) == []
    assert [generation.record.run for generation in published(vault)] == ["next run"]


def test_without_enough_space_no_vm_is_stopped(vault: Vault, disks: Path) -> None:
    """The host isn't asked."""
    backup = backup_of(vault, disks)
    with pytest.raises(NoSpaceError, match="Nothing of it was copied"):
        backup.begin_backup(REQUEST, need_bytes=1 << 60)
    assert asked(backup) == []


@pytest.mark.parametrize("name", ["..", ".lock", "a/b", ""])
def test_a_vm_that_the_vault_cant_name_isnt_stopped(vault: Vault, disks: Path, name: str) -> None:
    """It is refused at once."""
    backup = backup_of(vault, disks)
    unnamed = VmBackup(vault, backup.host, name, UUID, "a run", 0, print)
    with pytest.raises(BackupError):
        unnamed.begin_backup(REQUEST)
    assert asked(backup) == []


def test_an_unclean_file_system_is_a_warning(vault: Vault, disks: Path) -> None:
    """So is another VM that had the same name before."""
    take(backup_of(vault, disks))
    change(disks / "vdb.raw", 1024 + 0x60, b"\xc6\x02")  # its journal must be replayed
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    take(VmBackup(vault, backup.host, "maq1", "another", "next run", 0, print))
    assert published(vault)[1].record.warnings == (
        "vdb, whole disk, ext4 'data': in use; its journal is replayed at the next mount.",
        f"The previous generation is of another VM with the same name (UUID {UUID}).",
    )
