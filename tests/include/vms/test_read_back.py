"""What was staged is read back from the vault's disk: what the host sent, then all of it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import VmNotBackError, VmNotImagedError
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, StagedVm, VmArchive
from include.vms.image_stream import ImageSource
from include.vms.models import EndedBackup
from include.vms.transfer import Transferred
from tests.include.vms.folder_host import (
    MIB,
    REQUEST,
    FolderHost,
    asked,
    backup_of,
    change,
    published,
    take,
    transfer,
)
from tests.include.vms.sample_vms import INSTANT, UUID, verified

DAY = timedelta(days=1)
Log = Callable[[str], None]


pytestmark = pytest.mark.usefixtures("no_connection")


def test_what_the_host_sent_is_on_the_vaults_disk_before_its_backup_ends(vault: Vault, disks: Path) -> None:
    """Then the guest runs at full speed again, while the whole image is verified."""
    take(backup_of(vault, disks))
    change(disks / "vda.raw", MIB, b"changed")
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": "next run"}))
    assert backup.transfer(begun) == backup.transfer(begun)
    assert asked(backup) == ["begin-backup next run", f"send {UUID}", "end-backup next run"]
    backup.verify(begun)
    backup.publish(begun)
    assert published(vault)[1].image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


@pytest.mark.parametrize(("cloned", "run"), [(True, "next run"), (False, "a run")])
def test_a_backup_that_costs_little_or_may_be_needed_isnt_ended_early(
    vault: Vault, disks: Path, *, cloned: bool, run: str
) -> None:
    """Clones cost little; of a VM's first generation, all is verified by reading the whole image once."""
    if run == "next run":
        take(backup_of(vault, disks))
    backup = backup_of(vault, disks, run, INSTANT + DAY)
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": run})).model_copy(update={"cloned": cloned})
    backup.transfer(begun)
    assert f"end-backup {run}" not in asked(backup)


def test_what_the_host_sent_is_sent_again_if_the_vaults_disk_lost_it(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the host still has it."""
    take(backup_of(vault, disks))
    change(disks / "vda.raw", MIB, b"changed")

    def losing(source: ImageSource, into: StagedVm, base: PublishedVm, log: Log) -> Transferred:
        transferred = transfer(source, into, base, log)
        change(into.image("vda"), MIB, b"lost")
        return transferred

    monkeypatch.setattr("include.vms.backup.transfer", losing)
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    take(backup)
    assert published(vault)[1].image("vda").read_bytes() == (disks / "vda.raw").read_bytes()
    assert asked(backup)[1:4] == [f"send {UUID}", f"send {UUID}", "end-backup next run"]


def test_a_decayed_base_isnt_copied_to_the_next_generation(vault: Vault, disks: Path) -> None:
    """It counts as damaged from then on, and the next run copies nothing from it."""
    take(backup_of(vault, disks))
    change(VmArchive(vault).of("maq1")[0].image("vda"), 2 * MIB, b"decayed")
    change(VmArchive(vault).of("maq1")[0].image("vdb"), 5, b"decayed")
    found = "is damaged: 1 chunk of vda, 1 chunk of vdb can't be copied from it"
    with pytest.raises(VmNotImagedError, match=f"^maq1: 2026-11-22T05-00-03Z {found}"):
        take(backup_of(vault, disks, "next run", INSTANT + DAY))
    (first,) = VmArchive(vault).of("maq1")
    assert str(first.damage).startswith(
        "A later backup found it damaged: 1 chunk of vda, 1 chunk of vdb can't be"
    )
    take(backup_of(vault, disks, "last run", INSTANT + 2 * DAY))
    _, last = VmArchive(vault).of("maq1")
    assert verified(last)
    assert last.record.base is None
    assert last.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_what_the_base_couldnt_give_is_sent_before_the_backup_ends(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has bad sectors, which the transfer has seen: the host is needed until all is verified."""
    take(backup_of(vault, disks))

    def decayed(source: ImageSource, into: StagedVm, base: PublishedVm, log: Log) -> Transferred:
        first, *others = (transferred := transfer(source, into, base, log)).disks
        change(into.image("vda"), 0, bytes(5))
        found = (first.model_copy(update={"decayed": True}), *others)
        return transferred.model_copy(update={"disks": found})

    monkeypatch.setattr("include.vms.backup.transfer", decayed)
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    take(backup)
    assert published(vault)[1].image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_a_disk_of_the_vault_that_loses_data_is_named(vault: Vault, disks: Path) -> None:
    """The base is intact, and isn't blamed."""
    take(backup_of(vault, disks))
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": "next run"}))
    backup.transfer(begun)
    change(VmArchive(vault).staged("maq1").image("vda"), 0, b"decayed")
    with pytest.raises(
        VmNotImagedError, match=r"maq1: checksum mismatch: the vault's disk .* for 'vda' than"
    ):
        backup.verify(begun)
    assert published(vault)[0].damage is None


def test_a_vm_that_isnt_back_when_its_backup_ends_early_is_known_at_once(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its image is good, and is published."""
    take(backup_of(vault, disks))
    backup = backup_of(vault, disks, "next run", INSTANT + DAY)
    begun = backup.begin_backup(REQUEST.model_copy(update={"run": "next run"}))

    def down(*_: object) -> EndedBackup:
        raise VmNotBackError("It can't be started.")

    with monkeypatch.context() as patch:
        patch.setattr(FolderHost, "end_backup", down)
        transferred = backup.transfer(begun)
    assert transferred
    assert (transferred.ended, transferred.not_back) == (True, "It can't be started.")
    backup.verify(begun)
    backup.publish(begun)
    assert len(published(vault)) == 2
