"""The archive of VMs: which folders are generations, and staging."""

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from include.errors import BackupError, RescheduleError, VaultError
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive, folder_name
from tests.include.days.sample_days import tree
from tests.include.vms.sample_vms import INSTANT, lay, names, record, stage, verified

WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_generations_are_listed_oldest_first(vault: Vault) -> None:
    """For each VM."""
    newest, oldest = lay(vault, instant=INSTANT), lay(vault, instant=INSTANT - WEEK)
    other = lay(vault, "a b;rm -rf", instant=INSTANT - 9 * WEEK)
    assert VmArchive(vault).of("maq1") == [oldest, newest]
    assert VmArchive(vault).vms() == ["a b;rm -rf", "maq1"]
    assert VmArchive(vault).of("a b;rm -rf") == [other]
    assert VmArchive(vault).of("maq2") == []


def test_a_generation_is_named_in_utc_to_the_second() -> None:
    """Whatever time zone its instant is in."""
    brazil = timezone(timedelta(hours=-3))
    generation = PublishedVm("maq1", datetime(2026, 11, 22, 2, 0, 3, 999, tzinfo=brazil), Path("/vault"))
    assert generation.name == "2026-11-22T05-00-03Z"


def test_an_empty_vault_has_no_generations(vault: Vault) -> None:
    """Listing them changes nothing."""
    generations = VmArchive(vault)
    assert (generations.vms(), generations.of("maq1"), generations.left_staged(-1)) == ([], [], [])
    assert names(vault.root) == [".inpe-vault.json"]


@pytest.mark.parametrize(
    "name",
    ["2026-11-22", "2026-11-22T05-00-03", "2026-13-22T05-00-03Z", "x", "2026-11-22T05-00-03Z.bak",
     "2026-11-22T05-00-03Z\n", "٢٠٢٦-11-22T05-00-03Z", "2026-11-22T05:00:03Z"],
)  # fmt: skip
def test_a_folder_with_another_name_is_no_generation(vault: Vault, name: str) -> None:
    """Even if the name is similar, and there is a record in it."""
    folder = vault.root / "vm" / "maq1" / name
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(record().model_dump_json())
    assert VmArchive(vault).of("maq1") == []


def test_a_folder_without_record_is_no_generation(vault: Vault) -> None:
    """It isn't the vault's."""
    (vault.root / "vm" / "maq1" / "2026-11-22T05-00-03Z").mkdir(parents=True)
    (vault.root / "vm" / ".hidden").mkdir()
    (vault.root / "vm" / "notes.txt").write_text("mine")
    assert VmArchive(vault).vms() == []


def test_the_path_of_a_damaged_record_is_reported(vault: Vault) -> None:
    """So that a person can look at it."""
    generation = lay(vault)
    generation.record_file.chmod(0o644)
    generation.record_file.write_text("{")
    with pytest.raises(VaultError, match=f"^The record {generation.record_file} can't be read: "):
        _ = generation.record


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", ".lock", ".x", "a\0b", "m" * 201, "é" * 101])
def test_an_invalid_file_name_is_refused(vault: Vault, name: str) -> None:
    """As the name of a VM, before anything is written, and of a disk."""
    with pytest.raises(BackupError):
        folder_name(name)
    with pytest.raises(BackupError):
        VmArchive(vault).of(name)
    with pytest.raises(BackupError), VmArchive(vault).lock(name):
        pytest.fail("it was locked")
    with pytest.raises(BackupError):
        VmArchive(vault).staged("maq1").image(name)
    assert names(vault.root) == [".inpe-vault.json"]


@pytest.mark.parametrize("name", ["a b;rm -rf", "-x", "$(reboot)", "máquina 1", "a\nb", "*", "m" * 200])
def test_a_vm_may_have_any_other_name(vault: Vault, name: str) -> None:
    """It is never run as a command."""
    assert verified(lay(vault, name))
    assert VmArchive(vault).vms() == [name]


def test_staging_of_one_backup_isnt_used_for_another(vault: Vault) -> None:
    """The same backup finds everything again; a later one of any run finds nothing."""
    with VmArchive(vault).lock("maq1") as staged:
        stage(staged)
        staged.received("vda").write_bytes(b"x")
        before = tree(staged.folder)
        staged.begin("a run", INSTANT)
        assert tree(staged.folder) == before
        assert staged.run == "a run"
        staged.begin("a run", INSTANT + timedelta(days=1))
        assert names(staged.folder) == ["begun.json", "data"]
        assert names(staged.data) == []
        stage(staged, instant=INSTANT + timedelta(days=1))
        staged.begin("another run", INSTANT)  # the host's clock was corrected, and is behind now
        assert names(staged.folder) == ["begun.json", "data"]
        assert staged.run == "another run"
        staged.clear()
        assert staged.run is None
    assert not staged.folder.exists()


def test_a_vm_can_be_locked_once(vault: Vault) -> None:
    """Others can be locked meanwhile; nothing can be removed."""
    generations = VmArchive(vault)
    with generations.lock("maq1"), generations.lock("maq2"):
        with (
            pytest.raises(RescheduleError, match=r"^maq1: another run is working at "),
            generations.lock("maq1"),
        ):
            pytest.fail("it was locked")
        with pytest.raises(RescheduleError, match=r"^removing: "), vault.lock_vault("removing"):
            pytest.fail("it was locked")
    with vault.lock_vault("removing"), pytest.raises(RescheduleError), generations.lock("maq1"):
        pytest.fail("it was locked")


@pytest.mark.parametrize(
    "link", [".staging/vm", ".staging/vm/maq1", ".staging/vm/maq1/data", "vm", "vm/maq1"]
)
def test_a_link_that_leads_out_of_the_vault_is_refused(vault: Vault, tmp_path: Path, link: str) -> None:
    """Images must not be written elsewhere."""
    home = tmp_path / "home"
    home.mkdir()
    path = vault.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)
    with (
        pytest.raises(VaultError, match="leads out of the vault through a link"),
        VmArchive(vault).lock("maq1"),
    ):
        pytest.fail("it was locked")
    assert names(home) == []


def test_abandoned_staging_is_found(vault: Vault) -> None:
    """By its age."""
    with VmArchive(vault).lock("maq1") as staged:
        stage(staged)
    an_hour_ago = time.time() - 3600
    os.utime(staged.folder, (an_hour_ago, an_hour_ago))
    assert VmArchive(vault).left_staged(3500) == [staged]
    assert VmArchive(vault).left_staged(3700) == []
    os.utime(staged.folder, (an_hour_ago + 9e9, an_hour_ago + 9e9))  # by a wrong clock
    assert VmArchive(vault).left_staged(3700) == [staged]
