"""Removal: what retention doesn't keep is removed, and nothing else ever is."""

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.config.vms import KeepRules
from include.errors import BackupError, RescheduleError, VaultError, VaultUnmarkedError
from include.vault.vault import MARKER, Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.removal import apply_retention, due_removals, remove
from tests.include.days.sample_days import tree
from tests.include.project_process import python
from tests.include.vms.sample_vms import INSTANT, lay, names, record, verified
from tests.session import needs
from tests.session.needs import own_mounts, plain_user, program

WEEK = timedelta(weeks=1)
TWO = KeepRules(last=0, weekly=2, monthly=0, yearly=0)
NONE = KeepRules(last=0, weekly=0, monthly=0, yearly=0)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with four weeks of a VM, and one of another."""
    vault = Vault.create(tmp_path / "vault")
    for back in range(4):
        lay(vault, instant=INSTANT - back * WEEK)
    lay(vault, "maq2")
    return vault


def kept(vault: Vault, vm: str = "maq1") -> list[str]:
    """Return the dates of a VM's generations, and verify all."""
    generations = VmArchive(vault).of(vm)
    assert all(verified(generation) for generation in generations)
    return [f"{generation.instant:%m-%d}" for generation in generations]


def oldest(vault: Vault) -> PublishedVm:
    """Return the generation that is removed first."""
    return VmArchive(vault).of("maq1")[0]


def test_generations_that_arent_kept_are_removed_with_a_reason(vault: Vault) -> None:
    """The others don't change by a byte, and nothing is left in staging."""
    newest = [tree(generation.folder) for generation in VmArchive(vault).of("maq1")[2:]]
    took = sum(path.stat().st_blocks * 512 for path in oldest(vault).folder.iterdir())
    removed = apply_retention(vault, [record()], TWO)
    assert [(f"{one.instant:%m-%d}", one.bytes, one.refused) for one in removed] == [
        ("11-01", took, None),
        ("11-08", took, None),
    ]
    assert removed[1].reason.startswith("Not kept: week 45 of 2026 isn't one of the newest that are kept")
    assert kept(vault) == ["11-15", "11-22"]
    assert [tree(generation.folder) for generation in VmArchive(vault).of("maq1")] == newest
    assert kept(vault, "maq2") == ["11-22"]
    assert apply_retention(vault, [record()], TWO) == []
    assert not (vault.root / ".staging" / "removing").exists()


def test_a_dry_run_returns_the_same_and_removes_nothing(vault: Vault) -> None:
    """By its own function."""
    before = tree(vault.root)
    due = due_removals(vault, [record()], TWO)
    assert tree(vault.root) == before
    removed = apply_retention(vault, [record()], TWO)
    assert [one.model_copy(update={"bytes": 0}) for one in removed] == due


def test_a_vm_without_a_new_generation_loses_nothing(vault: Vault) -> None:
    """It has no verified successor."""
    assert apply_retention(vault, [], NONE) == []
    assert apply_retention(vault, [record("maq2")], NONE) == []
    assert len(kept(vault)) == 4


def test_nothing_goes_when_the_new_generation_isnt_in_the_vault(vault: Vault) -> None:
    """Whatever the run reports: the vault is read."""
    assert apply_retention(vault, [record(instant=INSTANT + WEEK)], NONE) == []
    damaged = VmArchive(vault).of("maq1")[-1].record_file
    damaged.chmod(0o644)
    damaged.write_text("{")
    assert apply_retention(vault, [record()], NONE) == []
    assert len(VmArchive(vault).of("maq1")) == 4


def test_keeping_none_keeps_the_newest(vault: Vault) -> None:
    """No configuration removes all of a VM."""
    apply_retention(vault, [record()], NONE)
    assert kept(vault) == ["11-22"]


def test_the_runs_own_generation_stays_even_when_it_isnt_the_newest(vault: Vault) -> None:
    """After a wrong clock, another generation has a later date."""
    apply_retention(vault, [record(instant=INSTANT - 2 * WEEK)], NONE)
    assert kept(vault) == ["11-08", "11-22"]


def test_a_generation_whose_record_is_damaged_is_left_to_a_person(vault: Vault) -> None:
    """It counts as unverified: it takes no other's place, and isn't removed."""
    damaged = VmArchive(vault).of("maq1")[2].record_file
    damaged.chmod(0o644)
    damaged.write_text("{")
    apply_retention(vault, [record()], TWO)
    left = [f"{generation.instant:%m-%d}" for generation in VmArchive(vault).of("maq1")]
    assert left == ["11-08", "11-15", "11-22"]


def test_nothing_is_removed_while_something_is_copied(vault: Vault) -> None:
    """The removal is rescheduled."""
    with VmArchive(vault).lock("maq2"), pytest.raises(RescheduleError):
        apply_retention(vault, [record()], TWO)
    assert len(kept(vault)) == 4


def test_a_vault_without_its_marker_is_left_alone(vault: Vault) -> None:
    """It was unmounted meanwhile; the folder is another one."""
    (vault.root / MARKER).unlink()
    with pytest.raises(VaultUnmarkedError):
        apply_retention(vault, [record()], TWO)
    assert len(kept(vault)) == 4


def behind_a_link(generation: PublishedVm, outside: Path) -> None:
    """Move the generation out of the vault, and leave a link to it."""
    generation.folder.chmod(0o755)
    shutil.move(generation.folder, outside / "moved")
    generation.folder.symlink_to(outside / "moved")


def holding_a_folder(generation: PublishedVm, _: Path) -> None:
    """Add a folder to it."""
    generation.folder.chmod(0o755)
    (generation.folder / "restored").mkdir()


def holding_a_note(generation: PublishedVm, _: Path) -> None:
    """Add a file to it."""
    generation.folder.chmod(0o755)
    (generation.folder / "KEEP").write_text("Do not remove!")


def holding_a_link(generation: PublishedVm, outside: Path) -> None:
    """Replace an image by a link to it."""
    generation.folder.chmod(0o755)
    shutil.move(generation.image("vda"), outside / "vda.img")
    generation.image("vda").symlink_to(outside / "vda.img")


def another_owners(generation: PublishedVm, _: Path) -> None:
    """Give its folder to another user."""
    needs.root()
    os.chown(generation.folder, 12345, 12345)


def another_owners_image(generation: PublishedVm, _: Path) -> None:
    """Give one of its files to another user."""
    needs.root()
    os.chown(generation.image("vda"), 12345, 12345)


def another_vms(generation: PublishedVm, _: Path) -> None:
    """Write another VM's record to it."""
    generation.record_file.chmod(0o644)
    generation.record_file.write_text(record("maq9", instant=generation.instant).model_dump_json())


CHANGES: list[tuple[Callable[[PublishedVm, Path], None], str]] = [
    (behind_a_link, "leads out of the vault"),
    (holding_a_folder, "isn't as it was published: 'restored'"),
    (holding_a_note, "isn't as it was published: 'KEEP'"),
    (holding_a_link, "isn't as it was published: 'vda.img'"),
    (another_owners, "isn't as it was published"),
    (another_owners_image, "isn't as it was published: 'vda.img'"),
    (another_vms, "contains the record of another generation"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_generation_that_isnt_as_published_isnt_removed(
    vault: Vault, tmp_path: Path, change: Callable[[PublishedVm, Path], None], reason: str
) -> None:
    """Not a byte of it or of a link's target is removed; other generations are."""
    outside = tmp_path / "outside"
    outside.mkdir()
    change(oldest(vault), outside)
    before = tree(oldest(vault).folder), tree(outside)
    refused, removed = apply_retention(vault, [record()], TWO)
    assert refused.refused
    assert reason in refused.refused
    assert removed.refused is None
    assert (tree(oldest(vault).folder), tree(outside)) == before
    with pytest.raises(VaultError):
        remove(oldest(vault))


@pytest.mark.parametrize("vm", ["..", "../..", "/", "a/../b", ""])
def test_a_path_is_no_name_of_a_vm(vault: Vault, vm: str) -> None:
    """Nor is an empty name, which would be the folder of all VMs."""
    before = tree(vault.root)
    with pytest.raises(BackupError):
        apply_retention(vault, [record(vm)], NONE)
    with pytest.raises(BackupError):
        remove(PublishedVm(vm, INSTANT, vault.root))
    assert tree(vault.root) == before


def test_a_vm_behind_a_link_isnt_removed(vault: Vault, tmp_path: Path) -> None:
    """A person has moved its folder to another disk."""
    shutil.move(vault.root / "vm" / "maq1", tmp_path / "maq1")
    (vault.root / "vm" / "maq1").symlink_to(tmp_path / "maq1")
    removed = apply_retention(vault, [record()], TWO)
    assert all("leads out of the vault" in str(one.refused) for one in removed)
    assert len(names(tmp_path / "maq1")) == 4


def test_a_mounted_file_system_in_the_vault_isnt_removed(vault: Vault) -> None:
    """Even if it contains the same files as the generation."""
    script = """
import subprocess, sys
from include.vms.archive import VmArchive
from include.vms.removal import KeepRules, apply_retention
from include.vault.vault import Path, Vault
from tests.include.vms.sample_vms import record
vault = Vault(Path(sys.argv[1]))
oldest = VmArchive(vault).of("maq1")[0]
copy = vault.root.parent / "copy"
subprocess.run(["cp", "-a", oldest.folder, copy], check=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", oldest.folder], check=True)
subprocess.run(f"cp -a {copy}/. {oldest.folder}/", shell=True, check=True)
print(apply_retention(vault, [record()], KeepRules(last=0, weekly=3, monthly=0, yearly=0))[0].refused)
"""
    assert "isn't as it was published" in python(script, str(vault.root), prefix=own_mounts())
    assert len(kept(vault)) == 4


def test_a_failed_removal_is_reported_and_the_others_continue(vault: Vault) -> None:
    """Because of an immutable file, for example; the next run tries again."""
    needs.root()
    image = oldest(vault).image("vda")
    subprocess.run([program("chattr"), "+i", image], check=True)
    try:
        for number in (2, 1):  # the second try finds what the first left
            refused, *removed = apply_retention(vault, [record()], TWO)
            assert "Operation not permitted" in str(refused.refused)
            assert [one.refused for one in removed] == [None] * (number - 1)
    finally:
        subprocess.run(["chattr", "-R", "-i", vault.root], check=True)
    assert kept(vault) == ["11-15", "11-22"]
    (removed_now,) = apply_retention(vault, [record()], TWO)
    assert (removed_now.vm, removed_now.refused) == ("maq1", None)
    assert removed_now.bytes > 0
    assert removed_now.reason == "Its removal by an earlier run was interrupted."
    assert not (vault.root / ".staging" / "removing").exists()


KILLED = """
import os, subprocess, sys
from itertools import count
from include.vms.archive import VmArchive
from include.vms.removal import KeepRules, apply_retention
from include.vault.vault import Path, Vault
from tests.include.vms.sample_vms import verified, record
from tests.include.days.worker import Fate

keep = KeepRules(last=0, weekly=2, monthly=0, yearly=0)
for change in count(1):
    copy = Path(f"{sys.argv[1]}.{change}")
    subprocess.run(["cp", "--archive", sys.argv[1], copy], check=True)
    vault = Vault(copy)
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        apply_retention(vault, [record()], keep)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    for generation in VmArchive(vault).of("maq1"):
        assert verified(generation)
    apply_retention(vault, [record()], keep)
    assert len(VmArchive(vault).of("maq1")) == 2
    assert list((copy / ".staging").iterdir()) == []
    if not killed:
        break
print(change)
"""


def test_removal_can_be_killed_before_each_change(vault: Vault) -> None:
    """Each listed generation is complete; the next removal deletes what was renamed already."""
    shutil.rmtree(vault.root / ".staging")
    (vault.root / ".staging").mkdir()
    assert int(python(KILLED, str(vault.root), prefix=plain_user())) > 15
