"""Generations: what counts as one, and how proven images become one."""

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from include.errors import BackupError, NotYetError, VaultError
from include.machines.generation import Generations, PublishedGeneration, folder_name
from include.vault import Vault
from tests.include.days import tree
from tests.include.machines.machines import INSTANT, lay, names, proven, record, stage

WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_generations_are_listed_oldest_first(vault: Vault) -> None:
    """Each machine's own."""
    newest, oldest = lay(vault, instant=INSTANT), lay(vault, instant=INSTANT - WEEK)
    other = lay(vault, "a b;rm -rf", instant=INSTANT - 9 * WEEK)
    assert Generations(vault).of("maq1") == [oldest, newest]
    assert Generations(vault).machines() == ["a b;rm -rf", "maq1"]
    assert Generations(vault).of("a b;rm -rf") == [other]
    assert Generations(vault).of("maq2") == []


def test_a_generation_is_named_in_utc_to_the_second() -> None:
    """Whatever zone its instant is written in."""
    brazil = timezone(timedelta(hours=-3))
    generation = PublishedGeneration(
        "maq1", datetime(2026, 11, 22, 2, 0, 3, 999, tzinfo=brazil), Path("/vault")
    )
    assert generation.name == "2026-11-22T05-00-03Z"


def test_an_empty_vault_has_none(vault: Vault) -> None:
    """And isn't changed by looking."""
    generations = Generations(vault)
    assert (generations.machines(), generations.of("maq1"), generations.left_staged(-1)) == ([], [], [])
    assert names(vault.root) == [".inpe-vault.json"]


@pytest.mark.parametrize(
    "name",
    ["2026-11-22", "2026-11-22T05-00-03", "2026-13-22T05-00-03Z", "x", "2026-11-22T05-00-03Z.bak",
     "2026-11-22T05-00-03Z\n", "٢٠٢٦-11-22T05-00-03Z", "2026-11-22T05:00:03Z"],
)  # fmt: skip
def test_a_strangers_folder_is_no_generation(vault: Vault, name: str) -> None:
    """Whatever it looks like, and even with a record in it."""
    folder = vault.root / "vm" / "maq1" / name
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(record().model_dump_json())
    assert Generations(vault).of("maq1") == []


def test_a_folder_without_record_is_no_generation(vault: Vault) -> None:
    """It's somebody else's."""
    (vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z").mkdir(parents=True)
    (vault.root / "vm" / ".hidden").mkdir()
    (vault.root / "vm" / "notes.txt").write_text("mine")
    assert Generations(vault).machines() == []


def test_a_damaged_record_is_told_with_its_path(vault: Vault) -> None:
    """A person can look."""
    generation = lay(vault)
    generation.record_file.chmod(0o644)
    generation.record_file.write_text("{")
    with pytest.raises(VaultError, match=f"^The record {generation.record_file} can't be read: "):
        _ = generation.record


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", ".lock", ".x", "a\0b", "m" * 201, "é" * 101])
def test_a_name_that_is_no_files_is_refused(vault: Vault, name: str) -> None:
    """A machine's, before anything is made; and a disk's."""
    with pytest.raises(BackupError):
        folder_name(name)
    with pytest.raises(BackupError):
        Generations(vault).of(name)
    with pytest.raises(BackupError), Generations(vault).hold(name):
        pytest.fail("it was held")
    with pytest.raises(BackupError):
        Generations(vault).staged("maq1").image(name)
    assert names(vault.root) == [".inpe-vault.json"]


@pytest.mark.parametrize("name", ["a b;rm -rf", "-x", "$(reboot)", "máquina 1", "a\nb", "*", "m" * 200])
def test_a_machine_of_any_other_name_is_kept(vault: Vault, name: str) -> None:
    """It is a name, and never a command."""
    assert proven(lay(vault, name))
    assert Generations(vault).machines() == [name]


def test_work_for_one_freeze_isnt_gone_on_with_for_another(vault: Vault) -> None:
    """The same freeze finds all of it again; a later one of the same run, or another run's, finds nothing."""
    with Generations(vault).hold("maq1") as staged:
        stage(staged)
        staged.have("vda").write_bytes(b"x")
        before = tree(staged.folder)
        staged.begin("a run", INSTANT)
        assert tree(staged.folder) == before
        assert staged.run == "a run"
        staged.begin("a run", INSTANT + WEEK)
        assert names(staged.folder) == ["data", "frozen.json"]
        assert names(staged.data) == []
        stage(staged, instant=INSTANT + WEEK)
        staged.begin("another run", INSTANT)  # the host's clock was put right, and is behind the former one
        assert names(staged.folder) == ["data", "frozen.json"]
        assert staged.run == "another run"
        staged.clear()
        assert staged.run is None
    assert not staged.folder.exists()


def test_a_machine_is_held_once(vault: Vault) -> None:
    """Others can be held meanwhile; nothing can be removed."""
    generations = Generations(vault)
    with generations.hold("maq1"), generations.hold("maq2"):
        with pytest.raises(NotYetError, match=r"^maq1: another run is working at "), generations.hold("maq1"):
            pytest.fail("it was held")
        with pytest.raises(NotYetError, match=r"^removing: "), vault.hold_alone("removing"):
            pytest.fail("it was held")
    with vault.hold_alone("removing"), pytest.raises(NotYetError), generations.hold("maq1"):
        pytest.fail("it was held")


@pytest.mark.parametrize(
    "link", [".staging/vm", ".staging/vm/maq1", ".staging/vm/maq1/data", "vm", "vm/maq1"]
)
def test_a_link_that_leads_out_of_the_vault_is_refused(vault: Vault, tmp_path: Path, link: str) -> None:
    """Images must not be written into somebody's home."""
    home = tmp_path / "home"
    home.mkdir()
    path = vault.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)
    with (
        pytest.raises(VaultError, match="leads out of the vault through a link"),
        Generations(vault).hold("maq1"),
    ):
        pytest.fail("it was held")
    assert names(home) == []


def test_work_that_nobody_goes_on_with_is_found(vault: Vault) -> None:
    """By its age."""
    with Generations(vault).hold("maq1") as staged:
        stage(staged)
    an_hour_ago = time.time() - 3600
    os.utime(staged.folder, (an_hour_ago, an_hour_ago))
    assert Generations(vault).left_staged(3500) == [staged]
    assert Generations(vault).left_staged(3700) == []
