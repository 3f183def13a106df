"""The backups of a vault and their status."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.scrub.backups import in_vault, replaced, statuses
from include.vault.vault import Vault
from tests.include.days import sample_days
from tests.include.days.sample_days import DAY, WHEN
from tests.include.scrub.sample_backups import day, lose, remove
from tests.include.vault.test_verification_log import WHEN as SCRUBBED
from tests.include.vault.test_verification_log import found
from tests.include.vms import sample_vms
from tests.include.vms.sample_vms import INSTANT

WEEK = timedelta(weeks=1)
DAMAGED = found(result="failed", how="1 file is missing: 'a'.")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def damage_of(vault: Vault) -> dict[str, tuple[str, str | None]]:
    """Return each backup's damage and what replaces it, by name."""
    return {one.backup.name: (one.damage or "intact", one.replaced_by) for one in statuses(in_vault(vault))}


def test_days_come_first_then_each_vms_images(vault: Vault) -> None:
    """Days are oldest first, VMs in order of their names."""
    for vm, back in (("maq2", 0), ("maq1", 0), ("maq1", 1)):
        sample_vms.lay(vault, vm, INSTANT - back * WEEK)
    for revision in (2, 1):
        sample_days.lay(vault, revision=revision)
    sample_days.lay(vault, DAY - 300)
    assert [backup.name for backup in in_vault(vault)] == [
        *("2025-333", "2026-268", "2026-268.r2"),
        *("maq1 2026-11-15T05-00-03Z", "maq1 2026-11-22T05-00-03Z", "maq2 2026-11-22T05-00-03Z"),
    ]
    assert [backup.group for backup in in_vault(vault)][::3] == ["SUPIM 2025", "VM maq1"]


def test_the_last_verification_is_the_last_scrub_that_passed(vault: Vault) -> None:
    """Before the first scrub it is the one of the publication; a boot test verifies no bytes."""
    published = sample_days.lay(vault)

    def verified() -> object:
        return statuses(in_vault(vault))[0].verified

    assert verified() == WHEN
    published.verification_log.append(found("boot_test"))
    assert verified() == WHEN
    published.verification_log.append(found())
    assert verified() == SCRUBBED


def test_a_damaged_backup_is_replaced_by_a_newer_intact_one(vault: Vault) -> None:
    """Of the same day or VM; an older or damaged one doesn't replace it."""
    first, second = sample_days.lay(vault), sample_days.lay(vault, revision=2)
    image = sample_vms.lay(vault)
    for one in (first, image):
        one.verification_log.append(DAMAGED)
    damage = "A scrub found it damaged: 1 file is missing: 'a'."
    assert damage_of(vault) == {
        "2026-268": (damage, "2026-268.r2"),
        "2026-268.r2": ("intact", None),
        "maq1 2026-11-22T05-00-03Z": (damage, None),
    }
    assert replaced(vault) == {"2026-268": "2026-268.r2"}
    second.verification_log.append(DAMAGED)
    sample_days.lay(vault, DAY + 1)
    assert damage_of(vault)["2026-268"] == damage_of(vault)["2026-268.r2"] == (damage, None)


def test_a_backup_without_its_folder_or_record_is_damaged(vault: Vault) -> None:
    """The archive doesn't list it as published any more, but it is still scrubbed."""
    record, folder = sample_days.lay(vault), sample_days.lay(vault, DAY + 1)
    record.folder.rmdir()
    folder.record_file.unlink()
    image = sample_vms.lay(vault)
    lose(image.record_file)
    assert DayArchive(vault).published() == []
    assert damage_of(vault) == {
        "2026-268": (f"The folder {record.folder} is missing.", None),
        "2026-269": (f"{folder.record_file} can't be read.", None),
        "maq1 2026-11-22T05-00-03Z": (f"{image.record_file} can't be read.", None),
    }


def test_a_backup_with_only_its_verification_log_left_is_damaged(vault: Vault) -> None:
    """Its log shows that it existed."""
    gone, image = day(vault), sample_vms.lay(vault)
    for one in (gone, image):
        one.verification_log.append(found())
        remove(one.folder)
    gone.record_file.unlink()
    gone.sums.unlink()
    sample_vms.lay(vault, instant=INSTANT - WEEK)
    assert damage_of(vault) == {
        "2026-268": (f"The folder {gone.folder} is missing.", None),
        "maq1 2026-11-15T05-00-03Z": ("intact", None),
        "maq1 2026-11-22T05-00-03Z": (f"The folder {image.folder} is missing.", None),
    }


def test_an_interrupted_removal_by_retention_isnt_damage(vault: Vault) -> None:
    """Retention removes the verification log after the folder."""
    image = sample_vms.lay(vault)
    image.verification_log.append(found())
    image.folder.chmod(0o755)
    image.removal_path.parent.mkdir(parents=True)
    image.folder.rename(image.removal_path)
    assert in_vault(vault) == []


def test_a_day_that_is_being_published_isnt_damaged(vault: Vault) -> None:
    """Its record appears a moment before its folder."""
    published = day(vault)
    staged = DayArchive(vault).staged(DAY)
    staged.folder.mkdir(parents=True)
    published.folder.chmod(0o755)
    published.folder.rename(staged.data)
    staged.publishing.touch()
    assert in_vault(vault) == []


def test_a_lost_revisions_name_is_never_reused(vault: Vault) -> None:
    """Its verification log would count for the new revision."""
    lost = sample_days.lay(vault)
    lost.verification_log.append(DAMAGED)
    lost.folder.rmdir()
    assert DayArchive(vault).next_revision(DAY).name == "268.r2"
