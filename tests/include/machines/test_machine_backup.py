"""Securing a machine, the vault's side: every step again, killed, too late, on a rotten base."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import BackupError, ImageGoneError, MachineNotImagedError, NoSpaceError, VaultError
from include.machines.generation import Generations, PublishedGeneration
from include.machines.machine_backup import MachineBackup
from include.vault import Vault
from tests.include.days import tree
from tests.include.machine import program
from tests.include.machines.folder_host import REQUEST, FolderHost, backup, take, without_a_wire
from tests.include.machines.machines import INSTANT, UUID, names, proven

MIB = 1 << 20
WEEK = timedelta(weeks=1)


@pytest.fixture(autouse=True)
def _no_wire() -> Iterator[None]:
    """The disks come from a folder."""
    patch = without_a_wire()
    yield
    patch.undo()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """Two disks: noise with a hole in it, and an ext4."""
    folder = tmp_path / "disks"
    folder.mkdir()
    with (folder / "vda.raw").open("wb") as vda:
        vda.write(os.urandom(2 * MIB + 5))
        vda.seek(7 * MIB)
        vda.write(os.urandom(MIB // 2))
    with (folder / "vdb.raw").open("wb") as vdb:
        vdb.truncate(2 * MIB)
    subprocess.run([program("mkfs.ext4"), "-q", "-L", "data", folder / "vdb.raw"], check=True)
    return folder


def published(vault: Vault) -> list[PublishedGeneration]:
    """Give the machine's generations; all of them can be proven."""
    generations = Generations(vault).of("maq1")
    assert all(proven(generation) for generation in generations)
    return generations


def asked(one: MachineBackup) -> list[str]:
    """Give what the host was asked."""
    assert isinstance(one.host, FolderHost)
    return one.host.asked


def change(disk: Path, at: int, content: bytes) -> None:
    """Write into a disk."""
    mode = disk.stat().st_mode
    disk.chmod(0o644)
    with disk.open("r+b") as file:
        file.seek(at)
        file.write(content)
    disk.chmod(mode)


def test_a_machine_is_secured(vault: Vault, disks: Path) -> None:
    """Its disks to the byte, and a record that says how."""
    one = backup(vault, disks)
    take(one)
    (generation,) = published(vault)
    record = generation.record
    for disk in ("vda", "vdb"):
        assert generation.image(disk).read_bytes() == (disks / f"{disk}.raw").read_bytes()
    assert (record.machine, record.uuid, record.host, record.run) == ("maq1", UUID, "kvm_host", "a run")
    assert record.instant == INSTANT.replace(microsecond=0) == generation.instant
    assert [(disk.name, disk.sent_bytes) for disk in record.disks] == [("vda", 8 * MIB), ("vdb", 2 * MIB)]
    assert record.disks[1].filesystems[0].told == "whole disk, ext4 'data': cleanly unmounted."
    assert record.proofs[0].how == "SHA-256 of 10 chunks read back from the disk equal to the host's"
    assert (record.base, record.warnings) == (None, ())
    later = {generation.record_file, generation.sums}
    kept = [path for path in generation.folder.iterdir() if path not in later]
    assert record.bytes == sum(path.stat().st_blocks * 512 for path in kept)
    assert asked(one) == ["freeze a run", f"serve {UUID}", "release a run"]
    assert not Generations(vault).staged("maq1").folder.exists()


def test_a_week_later_only_what_changed_comes(vault: Vault, disks: Path) -> None:
    """Measured against the newest generation, which isn't touched."""
    take(backup(vault, disks))
    before = tree(published(vault)[0].folder)
    change(disks / "vda.raw", MIB, b"changed")
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    first, second = published(vault)
    assert tree(first.folder) == before
    assert second.record.base == first.name
    assert [disk.sent_bytes for disk in second.record.disks] == [MIB, 0]
    assert second.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_a_decayed_base_doesnt_poison_the_next_generation(vault: Vault, disks: Path) -> None:
    """What it gave is found when it's read back, and pulled anew; the base stays as it is, to be seen."""
    take(backup(vault, disks))
    change(Generations(vault).of("maq1")[0].image("vda"), 2 * MIB, b"decayed")
    change(Generations(vault).of("maq1")[0].image("vdb"), 5, b"decayed")
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    first, second = Generations(vault).of("maq1")
    assert not proven(first)
    assert proven(second)
    assert second.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()
    assert second.record.proofs[0].how.endswith("; 2 chunks pulled again before")


def test_what_cant_be_healed_is_never_published(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault's disk that gives back other bytes than were written, again and again."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    change(Generations(vault).staged("maq1").image("vda"), 0, b"decayed")
    monkeypatch.setattr("include.machines.machine_backup.pull_again", lambda *_: None)
    with pytest.raises(MachineNotImagedError, match="maq1: what the vault's disk gives back of 'vda' still"):
        one.prove(frozen)
    with pytest.raises(MachineNotImagedError, match="maq1 has no proven images in the vault"):
        one.publish(frozen)
    one.release()
    assert published(vault) == []
    assert not Generations(vault).staged("maq1").folder.exists()


def test_an_image_cut_short_isnt_proven(vault: Vault, disks: Path) -> None:
    """Nor one that grew."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    os.truncate(Generations(vault).staged("maq1").image("vdb"), MIB)
    with pytest.raises(VaultError, match="has 1,048,576 bytes, and the machine's disk has 2,097,152"):
        one.prove(frozen)


def test_every_step_can_be_taken_again(vault: Vault, disks: Path) -> None:
    """The machine isn't stopped, nor its disks pulled, a second time; the same generation is the result."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    first = one.pull(frozen)
    assert one.pull(frozen) == first
    draft = one.prove(frozen)
    again = one.freeze(REQUEST)
    assert (again.disks, again.run) == (frozen.disks, frozen.run)
    assert one.pull(frozen) is None
    assert one.prove(frozen) == draft
    one.release()
    one.release()
    assert one.prove(frozen) == draft
    assert one.publish(frozen) == one.publish(frozen) == draft
    take(one)
    assert len(published(vault)) == 1
    assert asked(one).count("freeze a run") == 1
    assert asked(one).count(f"serve {UUID}") == 1


def test_proving_pulls_what_isnt_there(vault: Vault, disks: Path) -> None:
    """A task that is cleared alone."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.prove(frozen)
    one.publish(frozen)
    assert len(published(vault)) == 1


def test_nothing_unproven_is_published(vault: Vault, disks: Path) -> None:
    """However the tasks are cleared."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    with pytest.raises(MachineNotImagedError, match="Clear its freeze task"):
        one.publish(frozen)
    assert published(vault) == []


def test_releasing_drops_what_isnt_proven_and_keeps_what_is(vault: Vault, disks: Path) -> None:
    """The host can't give the rest any more; another run's work isn't touched."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.pull(frozen)
    backup(vault, disks, "next run").release()
    assert Generations(vault).staged("maq1").pulled.exists()
    one.release()
    assert not Generations(vault).staged("maq1").folder.exists()
    one.prove(frozen)
    one.release()
    assert Generations(vault).staged("maq1").draft.exists()


def test_releasing_works_while_the_vault_doesnt(
    vault: Vault, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine comes first; staging can wait."""
    monkeypatch.setattr("include.machines.machine_backup.PULL_ENDS_S", 0.0)
    one = backup(vault, disks)
    one.pull(one.freeze(REQUEST))
    with Generations(vault).hold("maq1"):
        assert one.release().state == "running"
    (vault.root / "vm").symlink_to(disks)
    assert one.release().state == "running"


def test_what_an_earlier_run_had_proven_is_published_by_the_next(vault: Vault, disks: Path) -> None:
    """Its worker died before it could; a proven week isn't thrown away."""
    one = backup(vault, disks)
    one.prove(one.freeze(REQUEST))
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    assert [generation.record.run for generation in published(vault)] == ["a run", "next run"]


def test_what_an_earlier_run_left_half_done_is_dropped(vault: Vault, disks: Path) -> None:
    """Another instant's chunks never meet this one's."""
    one = backup(vault, disks)
    one.pull(one.freeze(REQUEST))
    change(disks / "vda.raw", 0, b"a week later")
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    (generation,) = published(vault)
    assert generation.record.run == "next run"
    assert generation.image("vda").read_bytes() == (disks / "vda.raw").read_bytes()


def test_an_earlier_run_doesnt_disturb_a_later_one(vault: Vault, disks: Path) -> None:
    """Its task was cleared late: the host has frozen the machine anew meanwhile."""
    early, late = backup(vault, disks), backup(vault, disks, "next run", INSTANT + WEEK)
    frozen = early.freeze(REQUEST)
    late.pull(late.freeze(REQUEST.model_copy(update={"run": "next run"})))
    before = tree(Generations(vault).staged("maq1").folder)
    for step in (early.pull, early.prove):
        with pytest.raises(ImageGoneError, match="What is frozen now is of next run"):
            step(frozen)
    early.release()
    assert tree(Generations(vault).staged("maq1").folder) == before


def test_a_taken_place_isnt_overwritten_and_doesnt_stop_the_next_run(vault: Vault, disks: Path) -> None:
    """Somebody made a folder of the very name."""
    one = backup(vault, disks)
    frozen = one.freeze(REQUEST)
    one.prove(frozen)
    stranger = vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z"
    stranger.mkdir(parents=True)
    with pytest.raises(VaultError, match="is there already"):
        one.publish(frozen)
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    assert names(stranger) == []
    assert [generation.record.run for generation in published(vault)] == ["next run"]


def test_without_room_nothing_is_stopped(vault: Vault, disks: Path) -> None:
    """The host isn't even asked."""
    one = backup(vault, disks)
    with pytest.raises(NoSpaceError, match="Nothing was copied"):
        one.freeze(REQUEST, need_bytes=1 << 60)
    assert asked(one) == []


@pytest.mark.parametrize("name", ["..", ".lock", "a/b", ""])
def test_a_machine_that_the_vault_cant_name_isnt_stopped(vault: Vault, disks: Path, name: str) -> None:
    """It is refused before anything."""
    one = backup(vault, disks)
    unnamed = MachineBackup(vault, one.host, name, UUID, "a run", 0, print)
    with pytest.raises(BackupError):
        unnamed.freeze(REQUEST)
    assert asked(one) == []


def test_a_file_system_that_wasnt_unmounted_is_a_warning(vault: Vault, disks: Path) -> None:
    """So is another machine that had the name before."""
    take(backup(vault, disks))
    change(disks / "vdb.raw", 1024 + 0x60, b"\xc6\x02")  # it asks for its journal
    one = backup(vault, disks, "next run", INSTANT + WEEK)
    take(MachineBackup(vault, one.host, "maq1", "another", "next run", 0, print))
    assert published(vault)[1].record.warnings == (
        "vdb, whole disk, ext4 'data': in use; what its journal holds is put in place at the next mount.",
        f"The generation before is another machine's of the same name (UUID {UUID}).",
    )


def test_a_generation_with_a_damaged_record_is_no_base(vault: Vault, disks: Path) -> None:
    """It's proven to nobody, and doesn't stop the next."""
    take(backup(vault, disks))
    change(Generations(vault).of("maq1")[0].record_file, 0, b"x")
    take(backup(vault, disks, "next run", INSTANT + WEEK))
    assert Generations(vault).of("maq1")[1].record.base is None
