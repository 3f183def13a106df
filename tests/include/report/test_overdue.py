"""A scrub that is paused or never ran is noticed by what it didn't verify."""

from datetime import timedelta
from pathlib import Path

import pytest

from include.config import site_file
from include.report.overdue import images_overdue, scrub_overdue
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, WHEN, lay
from tests.include.vault.test_verification_log import WHEN as SCRUBBED
from tests.include.vault.test_verification_log import found
from tests.include.vms import sample_vms

AGE = timedelta(days=30)
SITE = site_file.load(site_file.DEFAULT_PATH)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_days_that_no_scrub_has_verified_in_time_are_counted(vault: Vault) -> None:
    """With what to do."""
    days = [lay(vault, DAY - back) for back in range(3)]
    assert scrub_overdue(days, SITE, WHEN + AGE) == []
    [sentence] = scrub_overdue(days, SITE, WHEN + AGE + timedelta(seconds=1))
    assert sentence == (
        "3 days not verified within 30 days (scrub.max_age_days); the oldest verification is of 2026-09-27. "
        "vault_scrub is paused, has never run or failed: switch it on, or look at its last run."
    )
    for day in days[1:]:
        day.verification_log.append(found())
    [sentence] = scrub_overdue(days, SITE, SCRUBBED)
    assert sentence.startswith("1 day not verified within 30 days")


def test_damaged_days_are_reported_elsewhere(vault: Vault) -> None:
    """They are read again by each scrub."""
    day = lay(vault)
    day.verification_log.append(found(result="failed"))
    assert scrub_overdue([day], SITE, WHEN + 2 * AGE) == []


def test_images_are_counted_as_days_are(vault: Vault) -> None:
    """A VM's images are verified again as long as they are kept; damaged ones are reported elsewhere."""
    images = [sample_vms.lay(vault, vm) for vm in ("maq1", "maq2", "maq3")]
    made = images[0].record.verifications[-1].when
    assert images_overdue(images, SITE, made + AGE) == []
    images[1].verification_log.append(found(result="failed"))
    [sentence] = images_overdue(images, SITE, made + AGE + timedelta(seconds=1))
    assert sentence.startswith("2 VM images not verified within 30 days (scrub.max_age_days); the oldest ")
    assert sentence.endswith("switch it on, or look at its last run.")
    images[2].verification_log.append(found().model_copy(update={"when": made + AGE}))
    [sentence] = images_overdue(images, SITE, made + AGE + timedelta(seconds=1))
    assert sentence.startswith("1 VM image not verified")
