"""Protection and removal at the same time."""

import fcntl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from include.errors import RescheduleError, VaultError
from include.vault.locks import locked_existing
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.removal import apply_retention
from tests.include.vms.protected_vms import NONE, OLDEST, WEEK, WHY, left, oldest, three_weeks
from tests.include.vms.sample_vms import INSTANT, lay, record


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with three weeks of a VM."""
    return three_weeks(tmp_path / "vault")


@pytest.fixture
def archive(vault: Vault) -> VmArchive:
    """Its VMs."""
    return VmArchive(vault)


def test_what_is_being_removed_cant_be_protected(vault: Vault, archive: VmArchive) -> None:
    """A protection never promises what it can't keep."""
    with (
        locked_existing(oldest(vault).folder, fcntl.LOCK_EX, "a removal"),
        pytest.raises(RescheduleError),
    ):
        archive.protect("maq1", OLDEST, who="ana", why=WHY)
    assert oldest(vault).protection is None


def test_a_protection_and_a_removal_at_once_agree(vault: Vault, archive: VmArchive) -> None:
    """Either the person hears that it is protected, and it stays, or that it couldn't be."""
    for back in range(3, 6):
        name = lay(vault, instant=INSTANT - back * WEEK).name
        with ThreadPoolExecutor(2) as threads:
            removing = threads.submit(apply_retention, vault, [record()], NONE)
            protecting = threads.submit(archive.protect, "maq1", name, who="ana", why=WHY)
        assert removing.exception() is None
        refused = protecting.exception()
        assert refused is None or isinstance(refused, RescheduleError | VaultError)
        assert (refused is None) == (name in left(vault))


def test_two_weekly_runs_at_once_remove_neither_of_their_images(vault: Vault) -> None:
    """Each decides about what is in the vault then; the other's is one of the last."""
    minutes = [INSTANT + timedelta(minutes=number) for number in (1, 2)]
    made = [record(instant=lay(vault, instant=instant).instant) for instant in minutes]
    keep = NONE.model_copy(update={"last": 2})
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(apply_retention, vault, [one], keep) for one in made]
    busy = [run.exception() for run in runs if run.exception()]
    assert all(isinstance(refused, RescheduleError) for refused in busy)
    apply_retention(vault, made[:1], keep)
    assert left(vault) == [f"{instant:%Y-%m-%dT%H-%M-%SZ}" for instant in minutes]
