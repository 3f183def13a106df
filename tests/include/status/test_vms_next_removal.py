"""What retention removes of a VM after the next weekly run, as the page shows it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.config import site_file
from include.config.site_file import Site
from include.status.parts import VmPart
from include.status.snapshot import VaultSnapshot
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from tests.include.vms import sample_vms
from tests.include.vms.sample_vms import INSTANT

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def vm(vault: Vault, **keep: int) -> VmPart:
    """Return the only VM, with these retention rules."""
    site = site_file.load(site_file.DEFAULT_PATH).model_dump(mode="json")
    site["vms"]["keep"] |= keep
    [part] = VaultSnapshot(vault, Site.model_validate(site), NOW).vms.vms
    return part


def test_the_next_removal_is_what_retention_removes_after_the_next_weekly_run(vault: Vault) -> None:
    """With its reason; none while one more may be kept."""
    oldest = sample_vms.lay(vault, instant=INSTANT - WEEK)
    sample_vms.lay(vault)
    assert vm(vault, last=0, weekly=3, monthly=1, yearly=1).next_removal is None
    removal = vm(vault, last=0, weekly=2, monthly=1, yearly=1).next_removal
    assert removal
    assert removal.instant == oldest.instant
    assert removal.reason.startswith(
        "Removed once the next image is verified. Not kept: week 46 of 2026 isn't one of the newest that "
        "are kept (2 weeks)"
    )


def test_the_only_image_isnt_named_as_if_it_went_now(vault: Vault) -> None:
    """By the site file's own rules it stays; if only one is to be kept, until its successor is there."""
    sample_vms.lay(vault, instant=NOW - timedelta(minutes=20))
    assert vm(vault).next_removal is None
    removal = vm(vault, last=1, weekly=0, monthly=0, yearly=0).next_removal
    assert removal
    assert removal.reason.startswith("Removed once the next image is verified. Not kept: ")


def test_a_protected_image_isnt_removed_next(vault: Vault) -> None:
    """The next older one is; who protects it and why is in its status, also if its record is unreadable."""
    protected, other = (sample_vms.lay(vault, instant=INSTANT - weeks * WEEK) for weeks in (2, 1))
    sample_vms.lay(vault)
    VmArchive(vault).protect("maq1", protected.name, who="ana", why="before the patch")
    part = vm(vault, last=1, weekly=0, monthly=0, yearly=0)
    assert part.next_removal
    assert part.next_removal.instant == other.instant
    assert [bool(image.protection) for image in part.generations] == [True, False, False]
    protected.record_file.chmod(0o644)
    protected.record_file.write_text("{")
    image = vm(vault).generations[0].protection
    assert image
    assert (image.who, image.why) == ("ana", "before the patch")


@pytest.mark.parametrize(("not_booted", "removes"), [([], False), (["maq1"], True)])
def test_the_next_removal_waits_for_the_boot_tests_of_that_vm(
    vault: Vault, not_booted: list[str], *, removes: bool
) -> None:
    """By the rule of retention itself: a VM that isn't boot-tested needs none."""
    site = site_file.load(site_file.DEFAULT_PATH).model_dump(mode="json")
    site["vms"]["keep"] = {"last": 0, "weekly": 2, "monthly": 1, "yearly": 1}
    site["boot_test"]["required"] = True
    site["vms"]["overrides"] = [{"vms": vm, "boot_test": False} for vm in not_booted]
    sample_vms.lay(vault, instant=INSTANT - WEEK)
    sample_vms.lay(vault)
    [part] = VaultSnapshot(vault, Site.model_validate(site), NOW).vms.vms
    assert (part.next_removal is not None) is removes
