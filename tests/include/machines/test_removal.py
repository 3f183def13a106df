"""Removal: what retention gave up goes, and nothing else ever does."""

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import BackupError, NotYetError, VaultError, VaultUnmarkedError
from include.machines.generation import Generations, PublishedGeneration
from include.machines.removal import given_up, remove, remove_old
from include.machines.retention import Keep
from include.vault import MARKER, Vault
from tests.include.days import tree
from tests.include.machine import own_mounts, plain_user, program, python
from tests.include.machines.machines import INSTANT, lay, names, proven, record

WEEK = timedelta(weeks=1)
TWO = Keep(weekly=2, monthly=0, yearly=0)
NONE = Keep(weekly=0, monthly=0, yearly=0)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with four weeks of a machine, and one of another."""
    vault = Vault.create(tmp_path / "vault")
    for back in range(4):
        lay(vault, instant=INSTANT - back * WEEK)
    lay(vault, "maq2")
    return vault


def kept(vault: Vault, machine: str = "maq1") -> list[str]:
    """Give the days of a machine's generations; all of them can be proven."""
    generations = Generations(vault).of(machine)
    assert all(proven(generation) for generation in generations)
    return [f"{generation.instant:%m-%d}" for generation in generations]


def oldest(vault: Vault) -> PublishedGeneration:
    """Give the generation that is given up first."""
    return Generations(vault).of("maq1")[0]


def test_what_is_given_up_is_removed_with_its_reason(vault: Vault) -> None:
    """The rest stays as it is, to the byte; and nothing is left behind in staging."""
    newest = [tree(generation.folder) for generation in Generations(vault).of("maq1")[2:]]
    took = sum(path.stat().st_blocks * 512 for path in oldest(vault).folder.iterdir())
    removed = remove_old(vault, [record()], TWO)
    assert [(f"{one.instant:%m-%d}", one.bytes, one.refused) for one in removed] == [
        ("11-01", took, None),
        ("11-08", took, None),
    ]
    assert removed[1].reason.startswith("It goes: week 45 of 2026 isn't one of the newest that are kept")
    assert kept(vault) == ["11-15", "11-22"]
    assert [tree(generation.folder) for generation in Generations(vault).of("maq1")] == newest
    assert kept(vault, "maq2") == ["11-22"]
    assert remove_old(vault, [record()], TWO) == []
    assert not (vault.root / ".staging" / "given-up").exists()


def test_a_dry_run_says_the_same_and_removes_nothing(vault: Vault) -> None:
    """Who decides removes nothing."""
    before = tree(vault.root)
    said = given_up(vault, [record()], TWO)
    assert tree(vault.root) == before
    removed = remove_old(vault, [record()], TWO)
    assert [one.model_copy(update={"bytes": 0}) for one in removed] == said


def test_a_machine_without_a_new_generation_loses_nothing(vault: Vault) -> None:
    """Its successor isn't proven."""
    assert remove_old(vault, [], NONE) == []
    assert remove_old(vault, [record("maq2")], NONE) == []
    assert len(kept(vault)) == 4


def test_nothing_goes_when_the_new_generation_isnt_in_the_vault(vault: Vault) -> None:
    """Whatever the run believes: the vault is looked at."""
    assert remove_old(vault, [record(instant=INSTANT + WEEK)], NONE) == []
    damaged = Generations(vault).of("maq1")[-1].record_file
    damaged.chmod(0o644)
    damaged.write_text("{")
    assert remove_old(vault, [record()], NONE) == []
    assert len(Generations(vault).of("maq1")) == 4


def test_keeping_none_keeps_the_newest(vault: Vault) -> None:
    """There's no way to configure a machine away."""
    remove_old(vault, [record()], NONE)
    assert kept(vault) == ["11-22"]


def test_the_runs_own_generation_stays_even_when_it_isnt_the_newest(vault: Vault) -> None:
    """A clock that went wrong: the run's is dated before another."""
    remove_old(vault, [record(instant=INSTANT - 2 * WEEK)], NONE)
    assert kept(vault) == ["11-08", "11-22"]


def test_a_generation_whose_record_is_damaged_is_left_to_a_person(vault: Vault) -> None:
    """It's proven to nobody, so it takes no other's place; and it isn't removed."""
    damaged = Generations(vault).of("maq1")[2].record_file
    damaged.chmod(0o644)
    damaged.write_text("{")
    remove_old(vault, [record()], TWO)
    assert [f"{generation.instant:%m-%d}" for generation in Generations(vault).of("maq1")] == [
        "11-08",
        "11-15",
        "11-22",
    ]


def test_nothing_is_removed_while_something_is_copied(vault: Vault) -> None:
    """And it's worth another try."""
    with Generations(vault).hold("maq2"), pytest.raises(NotYetError):
        remove_old(vault, [record()], TWO)
    assert len(kept(vault)) == 4


def test_a_vault_without_its_marker_is_left_alone(vault: Vault) -> None:
    """It was unmounted meanwhile, and something else is there now."""
    (vault.root / MARKER).unlink()
    with pytest.raises(VaultUnmarkedError):
        remove_old(vault, [record()], TWO)
    assert len(kept(vault)) == 4


def behind_a_link(generation: PublishedGeneration, outside: Path) -> None:
    """Move the generation out of the vault, and leave a link."""
    generation.folder.chmod(0o755)
    shutil.move(generation.folder, outside / "moved")
    generation.folder.symlink_to(outside / "moved")


def holding_a_folder(generation: PublishedGeneration, _: Path) -> None:
    """Somebody unpacked something in it."""
    generation.folder.chmod(0o755)
    (generation.folder / "restored").mkdir()


def holding_a_note(generation: PublishedGeneration, _: Path) -> None:
    """Somebody wrote why it must stay."""
    generation.folder.chmod(0o755)
    (generation.folder / "KEEP").write_text("Do not remove!")


def holding_a_link(generation: PublishedGeneration, outside: Path) -> None:
    """An image lies elsewhere."""
    generation.folder.chmod(0o755)
    shutil.move(generation.image("vda"), outside / "vda.img")
    generation.image("vda").symlink_to(outside / "vda.img")


def another_owners(generation: PublishedGeneration, _: Path) -> None:
    """It was given to somebody."""
    os.chown(generation.folder, 12345, 12345)


def another_owners_image(generation: PublishedGeneration, _: Path) -> None:
    """One file of it was."""
    os.chown(generation.image("vda"), 12345, 12345)


def another_machines(generation: PublishedGeneration, _: Path) -> None:
    """Its record says that it is something else."""
    generation.record_file.chmod(0o644)
    generation.record_file.write_text(record("maq9", instant=generation.instant).model_dump_json())


STRANGE: list[tuple[Callable[[PublishedGeneration, Path], None], str]] = [
    (behind_a_link, "leads out of the vault"),
    (holding_a_folder, "isn't as it was published: 'restored'"),
    (holding_a_note, "isn't as it was published: 'KEEP'"),
    (holding_a_link, "isn't as it was published: 'vda.img'"),
    (another_owners, "isn't as it was published"),
    (another_owners_image, "isn't as it was published: 'vda.img'"),
    (another_machines, "holds another generation's record"),
]


@pytest.mark.parametrize(("change", "told"), STRANGE, ids=[change.__name__ for change, _ in STRANGE])
def test_what_isnt_as_it_was_published_is_refused(
    vault: Vault, tmp_path: Path, change: Callable[[PublishedGeneration, Path], None], told: str
) -> None:
    """Not a byte of it goes, nor of what it leads to; the others do."""
    outside = tmp_path / "outside"
    outside.mkdir()
    change(oldest(vault), outside)
    before = tree(oldest(vault).folder), tree(outside)
    refused, removed = remove_old(vault, [record()], TWO)
    assert refused.refused
    assert told in refused.refused
    assert removed.refused is None
    assert (tree(oldest(vault).folder), tree(outside)) == before
    with pytest.raises(VaultError):
        remove(oldest(vault))


@pytest.mark.parametrize("machine", ["..", "../..", "/", "a/../b", ""])
def test_a_path_is_no_machine(vault: Vault, machine: str) -> None:
    """An empty name has removed every backup once."""
    before = tree(vault.root)
    with pytest.raises(BackupError):
        remove_old(vault, [record(machine)], NONE)
    with pytest.raises(BackupError):
        remove(PublishedGeneration(machine, INSTANT, vault.root))
    assert tree(vault.root) == before


def test_a_machine_behind_a_link_is_refused(vault: Vault, tmp_path: Path) -> None:
    """Its folder was moved to another disk by a person."""
    shutil.move(vault.root / "vm" / "maq1", tmp_path / "maq1")
    (vault.root / "vm" / "maq1").symlink_to(tmp_path / "maq1")
    removed = remove_old(vault, [record()], TWO)
    assert all("leads out of the vault" in str(one.refused) for one in removed)
    assert len(names(tmp_path / "maq1")) == 4


def test_what_is_mounted_in_a_vault_is_refused(vault: Vault) -> None:
    """Another file system, where the generation should be."""
    script = """
import subprocess, sys
from include.machines.generation import Generations
from include.machines.removal import Keep, remove_old
from include.vault import Path, Vault
from tests.include.machines.machines import record
vault = Vault(Path(sys.argv[1]))
oldest = Generations(vault).of("maq1")[0]
copy = vault.root.parent / "copy"
subprocess.run(["cp", "-a", oldest.folder, copy], check=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", oldest.folder], check=True)
subprocess.run(f"cp -a {copy}/. {oldest.folder}/", shell=True, check=True)
print(remove_old(vault, [record()], Keep(weekly=3, monthly=0, yearly=0))[0].refused)
"""
    assert "isn't as it was published" in python(script, str(vault.root), prefix=own_mounts())
    assert len(kept(vault)) == 4


def test_what_the_disk_refuses_is_told_and_the_rest_goes_on(vault: Vault) -> None:
    """An immutable file, say; or a folder that isn't ours to change."""
    image = oldest(vault).image("vda")
    subprocess.run([program("chattr"), "+i", image], check=True)
    try:
        for number in (2, 1):  # the second try meets what the first left behind
            refused, *removed = remove_old(vault, [record()], TWO)
            assert "Operation not permitted" in str(refused.refused)
            assert [one.refused for one in removed] == [None] * (number - 1)
    finally:
        subprocess.run(["chattr", "-R", "-i", vault.root], check=True)
    assert kept(vault) == ["11-15", "11-22"]
    (removed_now,) = remove_old(vault, [record()], TWO)
    assert (removed_now.machine, removed_now.refused) == ("maq1", None)
    assert removed_now.bytes > 0
    assert removed_now.reason == "It was given up before, and removing it was cut off."
    assert not (vault.root / ".staging" / "given-up").exists()


KILLED = """
import os, subprocess, sys
from itertools import count
from include.machines.generation import Generations
from include.machines.removal import Keep, remove_old
from include.vault import Path, Vault
from tests.include.machines.machines import proven, record
from tests.include.worker import Fate

keep = Keep(weekly=2, monthly=0, yearly=0)
for change in count(1):
    copy = Path(f"{sys.argv[1]}.{change}")
    subprocess.run(["cp", "--archive", sys.argv[1], copy], check=True)
    vault = Vault(copy)
    child = os.fork()
    if child == 0:
        sys.addaudithook(Fate(str(copy), die_before=change))
        remove_old(vault, [record()], keep)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    for generation in Generations(vault).of("maq1"):
        assert proven(generation)
    remove_old(vault, [record()], keep)
    assert len(Generations(vault).of("maq1")) == 2
    assert list((copy / ".staging").iterdir()) == []
    if not killed:
        break
print(change)
"""


def test_removal_can_be_killed_before_each_change(vault: Vault) -> None:
    """What is still listed is whole; the next removal deletes what was renamed already."""
    shutil.rmtree(vault.root / ".staging")
    (vault.root / ".staging").mkdir()
    assert int(python(KILLED, str(vault.root), prefix=plain_user())) > 15
