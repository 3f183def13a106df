"""What there is to audit, and how it stands with it."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.audit.backups import in_vault, standings
from include.vault import Vault
from tests.include import days
from tests.include.audit.kept import day, lose, remove
from tests.include.days import DAY, WHEN
from tests.include.machines import machines
from tests.include.machines.machines import INSTANT
from tests.include.test_proofs import WHEN as AUDITED
from tests.include.test_proofs import found

WEEK = timedelta(weeks=1)
DAMAGED = found(result="failed", how="1 file is missing: 'a'.")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def stands(vault: Vault) -> dict[str, tuple[str, str | None]]:
    """Give each backup's damage and what replaces it."""
    return {one.backup.name: (one.damage or "whole", one.replaced_by) for one in standings(in_vault(vault))}


def test_days_come_first_then_each_machines_images(vault: Vault) -> None:
    """Each by the name that people call it."""
    for machine, back in (("maq2", 0), ("maq1", 0), ("maq1", 1)):
        machines.lay(vault, machine, INSTANT - back * WEEK)
    for revision in (2, 1):
        days.lay(vault, revision=revision)
    days.lay(vault, DAY - 300)
    assert [backup.name for backup in in_vault(vault)] == [
        *("2025-333", "2026-268", "2026-268.r2"),
        *("maq1 2026-11-15T05-00-03Z", "maq1 2026-11-22T05-00-03Z", "maq2 2026-11-22T05-00-03Z"),
    ]
    assert [backup.group for backup in in_vault(vault)][::3] == ["SUPIM 2025", "maq1"]


def test_the_last_proof_is_the_last_audit_that_found_it_whole(vault: Vault) -> None:
    """Before the first one, that with which it was published; a drill proves no bytes."""
    published = days.lay(vault)

    def proven() -> object:
        return standings(in_vault(vault))[0].proven

    assert proven() == WHEN
    published.proofs.append(found("drill"))
    assert proven() == WHEN
    published.proofs.append(found())
    assert proven() == AUDITED


def test_a_damaged_one_is_replaced_by_a_newer_one_that_is_whole(vault: Vault) -> None:
    """Of the same day or machine; not by an older one, and not by one that is damaged, too."""
    first, second = days.lay(vault), days.lay(vault, revision=2)
    image = machines.lay(vault)
    for one in (first, image):
        one.proofs.append(DAMAGED)
    told = "An audit found it damaged: 1 file is missing: 'a'."
    assert stands(vault) == {
        "2026-268": (told, "2026-268.r2"),
        "2026-268.r2": ("whole", None),
        "maq1 2026-11-22T05-00-03Z": (told, None),
    }
    second.proofs.append(DAMAGED)
    days.lay(vault, DAY + 1)
    assert stands(vault)["2026-268"] == stands(vault)["2026-268.r2"] == (told, None)


def test_what_has_lost_its_folder_or_its_record_is_damaged(vault: Vault) -> None:
    """Though it counts as published to nobody else, it isn't forgotten."""
    record, folder = days.lay(vault), days.lay(vault, DAY + 1)
    record.folder.rmdir()
    folder.record_file.unlink()
    image = machines.lay(vault)
    lose(image.record_file)
    assert vault.published() == []
    assert stands(vault) == {
        "2026-268": (f"The folder {record.folder} is missing.", None),
        "2026-269": (f"{folder.record_file} can't be read.", None),
        "maq1 2026-11-22T05-00-03Z": (f"{image.record_file} can't be read.", None),
    }


def test_what_has_lost_all_but_its_proofs_is_damaged(vault: Vault) -> None:
    """An audit was there once; so was the backup."""
    gone, image = day(vault), machines.lay(vault)
    for one in (gone, image):
        one.proofs.append(found())
        remove(one.folder)
    gone.record_file.unlink()
    gone.sums.unlink()
    machines.lay(vault, instant=INSTANT - WEEK)
    assert stands(vault) == {
        "2026-268": (f"The folder {gone.folder} is missing.", None),
        "maq1 2026-11-15T05-00-03Z": ("whole", None),
        "maq1 2026-11-22T05-00-03Z": (f"The folder {image.folder} is missing.", None),
    }


def test_what_retention_removes_isnt_lost_even_when_it_is_cut_off(vault: Vault) -> None:
    """Its proofs go after its folder was put aside."""
    image = machines.lay(vault)
    image.proofs.append(found())
    image.folder.chmod(0o755)
    image.given_up.parent.mkdir(parents=True)
    image.folder.rename(image.given_up)
    assert in_vault(vault) == []


def test_a_day_that_is_just_being_published_isnt_lost(vault: Vault) -> None:
    """Its record is there a moment before its folder."""
    published = day(vault)
    staged = vault.staged(DAY)
    staged.folder.mkdir(parents=True)
    published.folder.chmod(0o755)
    published.folder.rename(staged.data)
    staged.publishing.touch()
    assert in_vault(vault) == []


def test_a_lost_revisions_name_and_proofs_are_never_anothers(vault: Vault) -> None:
    """What was found of it would be taken for the new one's."""
    lost = days.lay(vault)
    lost.proofs.append(DAMAGED)
    lost.folder.rmdir()
    assert vault.next_revision(DAY).name == "268.r2"
