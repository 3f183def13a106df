"""Generations of a VM, one of which is to be protected."""

from datetime import timedelta
from pathlib import Path

from include.config.vms import KeepRules
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from tests.include.vms.sample_vms import INSTANT, lay, verified

WEEK = timedelta(weeks=1)
NONE = KeepRules(last=0, weekly=0, monthly=0, yearly=0)
OLDEST = "2026-11-08T05-00-03Z"
WHY = "before the patch of 12 November"


def three_weeks(root: Path) -> Vault:
    """Return a new vault with three weeks of a VM."""
    vault = Vault.create(root)
    for back in range(3):
        lay(vault, instant=INSTANT - back * WEEK)
    return vault


def oldest(vault: Vault) -> PublishedVm:
    """Return the generation that would go first."""
    return VmArchive(vault).named("maq1", OLDEST)


def left(vault: Vault) -> list[str]:
    """Return the names of the generations, all intact."""
    generations = VmArchive(vault).of("maq1")
    assert all(verified(generation) for generation in generations)
    return [generation.name for generation in generations]
